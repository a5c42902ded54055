"""A Rope that looks at the length, by the lengths at which it differs."""

import bisect
import math
from typing import Any

import numpy as np

from yarncore.rope.rope import Rope
from yarncore.rotation.rotation import Rotation

_MOST_KEPT = 64  # Rotations; a continuous scale makes another with every token


class Scales:
    """A Rope, and its Rotations by canonical length: the one that stands for all lengths of a step.

    Parameters
    ----------
    rope : Rope
    """

    __slots__ = ("_between", "_ends", "_longest", "_of_rows", "_shortest", "rope")

    def __init__(self, rope: Rope) -> None:
        self.rope = rope
        scaling = rope.scaling
        looks = scaling is not None and scaling.needs_length
        self._ends = scaling.step_lengths() if scaling is not None and looks else (1,)
        self._shortest = int(getattr(scaling, "original_length", 1))
        most = scaling.context_factor() if scaling is not None and looks else None
        self._longest = math.inf if most is None else max(self._shortest, math.ceil(most * self._shortest))
        self._of_rows: dict[tuple[int, ...], Rotation] = {}
        self._between: dict[tuple[Rope, int, int], Rotation | None] = {}

    def canonical(self, length: int) -> int:
        """The length that stands for all lengths with the numbers of this one."""
        if self._ends is None:
            return int(min(max(length, self._shortest), self._longest))
        return self._ends[min(bisect.bisect_left(self._ends, length), len(self._ends) - 1)]

    def at_rows(self, lengths: tuple[int, ...]) -> Rotation:
        """The Rotation of rows with these canonical lengths: without axes where they are all the same, else (rows, 1)."""
        if lengths not in self._of_rows:
            one = len(set(lengths)) == 1
            made = self.rope.at(lengths[0] if one else np.asarray(lengths)[:, None])
            _put(self._of_rows, lengths, made)
        return self._of_rows[lengths]

    def turn(self, length: int, old: "Scales", old_length: int) -> Rotation | None:
        """What turns keys of `old` at a canonical length into keys of these at another; None: nothing does.

        Raises
        ------
        ValueError
            Where the two lay out a head differently.
        """
        key = (old.rope, old_length, length)
        if key not in self._between:
            new, before = self.rope.at(length), old.rope.at(old_length)
            _put(self._between, key, None if new == before else new @ before.inverse)
        return self._between[key]

    def __reduce__(self) -> tuple[Any, ...]:
        return Scales, (self.rope,)


def _put(kept: dict[Any, Any], key: Any, made: Any) -> None:
    if len(kept) >= _MOST_KEPT:
        kept.clear()
    kept[key] = made
