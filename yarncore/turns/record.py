"""What turns, and how: all that a backend sees of a rotation."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.frameworks.framework import Array
from yarncore.query_scale import QueryScale
from yarncore.turns.given import GivenTables
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns


def letters_of_sections(pair_section: npt.NDArray[np.uint8]) -> str:
    """The section of each pair in letters."""
    return pair_section.tobytes().hex()


@dataclass(slots=True)
class RotationRecord:
    """What turns: the numbers of a Rotation, without its methods.

    Attributes
    ----------
    turns : TurnsTable, TracedTurns or GivenTables
    rows : integer array, shape (*lengths), or None
        Row of the table for each length. None: there is one row, or the traced turns carry the axes of the lengths.
    lengths_shape : tuple of int
        The leading axes of the lengths.
    conjugate : bool
        Turn backwards.
    interleaved : bool
        Pairs (2i, 2i+1) instead of (i, i + rotary_dim / 2).
    head_dim : int or None
        None: any that holds what turns.
    pair_section : uint8 array, shape (pairs,), or None
        Which section's position turns each pair.
    sections : int
        How many positions a token has.
    section_letters : str
        pair_section in letters, which torch.compile can compare; made where it is not given.
    rotary_start : int
        Which element of a head is the first that turns; what is before and behind passes through.
    query_scale : QueryScale or None
        Multiplies whole heads of queries by their position.
    query_letters : str
        It in letters, which torch.compile can compare.
    """

    turns: TurnsTable | TracedTurns | GivenTables
    rows: Array | None
    lengths_shape: tuple[int, ...]
    conjugate: bool
    interleaved: bool
    head_dim: int | None
    pair_section: npt.NDArray[np.uint8] | None
    sections: int
    section_letters: str = ""
    rotary_start: int = 0
    query_scale: QueryScale | None = None
    query_letters: str = ""
    short_cut: Any = None  # the extension's object for plain calls, made when it is first needed; False: none

    def __post_init__(self) -> None:
        if self.pair_section is not None and not self.section_letters:
            self.section_letters = letters_of_sections(self.pair_section)
        if self.query_scale is not None and not self.query_letters:
            self.query_letters = self.query_scale.letters

    def __reduce__(self) -> tuple[Any, ...]:
        return RotationRecord, tuple(getattr(self, name) for name in self.__slots__ if name != "short_cut")

    @property
    def rotary_dim(self) -> int:
        """Elements of a head that turn."""
        return 2 * self.turns.pairs

    @property
    def arrays(self) -> dict[str, Array]:
        """Arrays of the caller's framework that are in it, by what the caller knows them as."""
        if isinstance(self.turns, GivenTables):
            return {"cos": self.turns.cos, "sin": self.turns.sin}
        if isinstance(self.turns, TracedTurns):
            return {"length": self.turns.factors}
        return {} if self.rows is None else {"length": self.rows}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """What must broadcast against the tokens beside the positions, by the same names."""
        if isinstance(self.turns, GivenTables):
            return {name: tuple(table.shape[:-1]) for name, table in self.arrays.items()}
        return {"length": self.lengths_shape} if self.lengths_shape else {}

    @property
    def rotary_end(self) -> int:
        """The element behind those that turn."""
        return self.rotary_start + 2 * self.turns.pairs

    @property
    def position_axes(self) -> tuple[int, ...]:
        """The leading axes of positions: one of the sections, where there are sections."""
        return () if self.pair_section is None else (self.sections,)

    @property
    def for_keys(self) -> "RotationRecord":
        """The same without a query scale."""
        return self if self.query_scale is None else self.changed(query_scale=None, query_letters="")

    @property
    def adjoint(self) -> "RotationRecord":
        """What turns gradients: backwards, by the same factor."""
        return self.changed(conjugate=not self.conjugate)

    def changed(self, **changes: Any) -> "RotationRecord":
        """The same with some fields replaced."""
        return replace(self, short_cut=None, **changes)
