"""What is asked of an evaluation: lengths and depths, checked before anything runs."""

from collections.abc import Sequence
from typing import Any


def _each(name: str, given: Any) -> list[Any]:
    values = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not values:
        raise ValueError(f"{name} is empty; at least one is expected")
    return values


def checked_lengths(lengths: Any) -> list[int]:
    """Lengths in tokens, rising, each once.

    Raises
    ------
    TypeError, ValueError
        Where one is no whole number of at least 2.
    """
    for length in _each("lengths", lengths):
        if isinstance(length, bool) or not isinstance(length, int):
            raise TypeError(f"lengths has {length!r}; whole numbers of tokens are expected")
        if length < 2:
            raise ValueError(f"lengths has {length}; at least 2 tokens are expected")
    return sorted(set(_each("lengths", lengths)))


def checked_depths(depths: Any) -> list[float]:
    """Depths between 0 (the beginning of the haystack) and 1 (its end), rising, each once.

    Raises
    ------
    TypeError, ValueError
        Where one is no number from 0 to 1.
    """
    for depth in _each("depths", depths):
        if isinstance(depth, bool) or not isinstance(depth, (int, float)):
            raise TypeError(f"depths has {depth!r}; numbers from 0 to 1 are expected")
        if not 0 <= depth <= 1:
            raise ValueError(f"depths has {depth}; numbers from 0 (the beginning) to 1 (the end) are expected")
    return sorted({float(depth) for depth in _each("depths", depths)})
