"""What a linear map of a head says about a rotation: which coordinates form pairs, how fast and by what they turn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Maps = npt.NDArray[np.float64]  # (positions, outputs, inputs)


@dataclass(frozen=True, slots=True)
class Pair:
    """Coordinates `first` and `second` of the input: (1, 0) turns towards (0, 1) by `radians` a position."""

    first: int
    second: int
    radians: float
    section: int | None


@dataclass(frozen=True, slots=True)
class SeenRotation:
    """A rotation as it was seen: pairs that turn, in the order of their first coordinates.

    Attributes
    ----------
    dim : int
        How many coordinates the function was given.
    layout : str
        "half", "interleaved", "half reversed", "interleaved reversed", or "other".
    factor : float
        What the pairs that turn are multiplied by.
    """

    dim: int
    pairs: tuple[Pair, ...]
    factor: float
    layout: str

    @property
    def frequencies(self) -> tuple[float, ...]:
        return tuple(pair.radians for pair in self.pairs)

    @property
    def turned_back(self) -> "SeenRotation":
        """The same pairs, turning the other way."""
        pairs = (Pair(pair.second, pair.first, pair.radians, pair.section) for pair in self.pairs)
        back = tuple(sorted(pairs, key=lambda pair: min(pair.first, pair.second)))
        return SeenRotation(self.dim, back, self.factor, _layout(back))

    @property
    def at_end(self) -> bool:
        """Whether what turns is the end of a head, and not all of it."""
        places = [place for pair in self.pairs for place in (pair.first, pair.second)]
        return bool(places) and min(places) > 0 and max(places) == self.dim - 1

    @property
    def sections(self) -> tuple[int | None, ...]:
        return tuple(pair.section for pair in self.pairs)


def seen_rotation(maps: Maps, still: int, units: Sequence[int]) -> SeenRotation:
    """The rotation that maps of a head show.

    Parameters
    ----------
    maps
        One map for each token.
    still
        The token whose position is 0 in every section.
    units
        For each section, the token whose position is 1 there and 0 in the others; a single one without sections.
    """
    start = maps[still]
    dim = start.shape[1]
    turns = [_as_seen_from_input(maps[unit], start) for unit in units]
    pairs = tuple(_pairs(turns))
    columns = np.abs(start).max(axis=0)
    turning = sorted({pair.first for pair in pairs} | {pair.second for pair in pairs})
    factors = columns[turning] if turning else columns
    if turning and float(np.ptp(factors)) > 1e-6:
        raise ValueError(f"the pairs have different factors, {factors.min()} to {factors.max()}")
    return SeenRotation(dim, pairs, float(factors.mean()), _layout(pairs))


def _as_seen_from_input(turned: npt.NDArray[np.float64], start: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The turn between two positions in coordinates of the input, whatever order the output is in."""
    for axis in (0, 1):
        if not (np.count_nonzero(start, axis=axis) == 1).all():
            raise ValueError("at position 0 the map is more than an order and a factor")
    order = np.abs(start).argmax(axis=0)  # of each input: where it comes out
    scale = start[order, np.arange(start.shape[1])]
    return turned[order] / scale[:, None]


def _pairs(turns: list[npt.NDArray[np.float64]]) -> list[Pair]:
    found = []
    for section, turn in enumerate(turns):
        beside = turn - np.diag(np.diag(turn))
        for second, first in zip(*np.nonzero(beside > 0), strict=True):
            if beside[first, second] >= 0:
                raise ValueError(f"coordinates {first} and {second} are not turned into each other")
            radians = float(np.arctan2(turn[second, first], turn[first, first]))
            found.append(Pair(int(first), int(second), radians, section if len(turns) > 1 else None))
    coordinates = [place for pair in found for place in (pair.first, pair.second)]
    if len(set(coordinates)) != len(coordinates):
        raise ValueError("a coordinate belongs to two pairs, or turns by two sections")
    return sorted(found, key=lambda pair: min(pair.first, pair.second))


def _layout(pairs: Sequence[Pair]) -> str:
    if not pairs:
        return "none"
    steps = {pair.second - pair.first for pair in pairs}
    if len(steps) > 1:
        return "other"
    step = steps.pop()
    name = "half" if abs(step) > 1 or len(pairs) == 1 else "interleaved"
    return name if step > 0 else f"{name} reversed"
