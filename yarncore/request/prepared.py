"""Positions whose rows of cos and sin serve many calls: what the backends keep of them."""

import math
from dataclasses import dataclass, field
from typing import Any

from yarncore.frameworks.framework import Array

LARGEST_KEPT = 256 * 2**20
"""Bytes of rows that are kept. Where there would be more, a call makes its rows again, a block of tokens at a time."""


@dataclass(slots=True, eq=False)
class PreparedPositions:
    """Positions that will not change, and what was made of them.

    Attributes
    ----------
    array : array, shape (sections,) + the tokens, or the tokens
    grid : tuple of int
        The tokens, broadcast against the axes of the lengths.
    pairs : int
    tables : pair of arrays, or None
        cos and sin in float32, shape (*grid, pairs), of positions that torch.compile traces.
    kept : dict
        What backends made, by keys of theirs. Nothing that is traced.
    """

    array: Array
    grid: tuple[Any, ...]
    pairs: int
    tables: tuple[Array, Array] | None = None
    kept: dict[Any, Any] = field(default_factory=dict)

    def may_be_kept(self, bytes_a_number: int) -> bool:
        """Whether cos and sin of all tokens are few enough."""
        return bool(math.prod(self.grid) * self.pairs * 2 * bytes_a_number <= LARGEST_KEPT)
