"""Sections: groups of pairs that turn by positions of their own (time, height, width)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.arguments import integer

_MOST_SECTIONS = 8


def checked_sections(sections: Any, pairs: int) -> tuple[int, ...]:
    """The number of pairs of each section, whose sum is `pairs`; TypeError or ValueError where it is not."""
    if isinstance(sections, str) or not hasattr(sections, "__iter__"):
        raise TypeError(f"sections is {sections!r}; a sequence of integers is expected")
    counts = tuple(integer(f"sections[{i}]", value) for i, value in enumerate(sections))
    if not 1 <= len(counts) <= _MOST_SECTIONS or min(counts) < 1 or sum(counts) != pairs:
        raise ValueError(
            f"sections is {sections!r}; 1 to {_MOST_SECTIONS} integers >= 1 whose sum is rotary_dim / 2 = {pairs} are expected"
        )
    return counts


def section_of_pairs(sections: tuple[int, ...], order: str) -> npt.NDArray[np.uint8]:
    """The section of each pair, shape (pairs,), read-only.

    Contiguous and axial: one after the other (transformers, modeling_qwen2_vl.py). Interleaved: pair i belongs to section
    i mod n while that section lasts, else to the first (modeling_qwen3_vl.py, apply_interleaved_mrope).
    """
    if order != "interleaved":
        section: npt.NDArray[Any] = np.repeat(np.arange(len(sections)), sections)
    else:
        index = np.arange(sum(sections))
        turn = index % len(sections)
        section = np.where(index < np.asarray(sections)[turn] * len(sections), turn, 0)
    narrow = section.astype(np.uint8)
    narrow.flags.writeable = False
    return narrow
