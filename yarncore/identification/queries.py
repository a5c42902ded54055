"""Whether queries are multiplied by their position as a Rope says: only a function tells."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from yarncore.identification.functions import scale_at, takes_positions
from yarncore.identification.identified import Identification
from yarncore.identification.stored import as_float64
from yarncore.query_scale import QueryScale

_SAME = 1e-5
_SAME_IN_16_BITS = 2.0**-7
_TOKENS = 128  # those that a function without positions is asked at


def of_query_scale(
    x: Any, found: Identification, scale: QueryScale | None, how: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Reasons and notes. A function of positions is asked on both sides of the first steps, where none are given."""
    if found.interleaved is None:
        return [], [] if scale is None else [not_seen(scale)]
    if scale is None:
        words = "q is multiplied by its position beside its rotation, and by nothing is expected"
        return [words] if found.scales_queries else [], []
    at = _asked(x, scale, how.get("positions"))
    given = scale_at(x, at, how["head_dim"], how.get("heads_axis", -2), how.get("like"))
    expected = np.asarray(scale.at(np.array(at))) / float(scale.at(0))
    off = np.abs(given / expected - 1)
    worst = int(np.argmax(off))
    if off[worst] > (_SAME_IN_16_BITS if found.stored in ("bfloat16", "float16") else _SAME):
        words = f"queries at position {at[worst]} are multiplied by {given[worst]:.6g}, by {expected[worst]:.6g} is expected"
        return [words], []
    if (expected == 1).all():
        return [], [f"{scale} multiplies no query at the positions asked, up to {max(at)}: it was not seen"]
    return [], []


def not_seen(scale: QueryScale) -> str:
    """What neither frequencies nor tables nor rotary modules hold."""
    return f"whether queries are multiplied by {scale} does not show here: give the function that rotates q and k"


def _asked(x: Any, scale: QueryScale, positions: Any) -> list[int]:
    """0 first."""
    if not takes_positions(x):
        return list(range(_TOKENS))
    if positions is not None:
        return [0, *(int(p) for p in as_float64("positions", positions).reshape(-1) if p != 0)]
    n = scale.numbers.length
    return sorted({0, max(n - 1, 0), n, 2 * n, 8 * n})
