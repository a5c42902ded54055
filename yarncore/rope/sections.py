"""Sections: groups of pairs that turn by positions of their own (time, height, width)."""

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from yarncore._arguments import integer, one_of

SectionOrder = Literal["contiguous", "interleaved", "axial"]

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


def checked_order(order: Any, sections: tuple[int, ...] | None) -> SectionOrder:
    """The order of sections; TypeError or ValueError where it is none, or needs sections that are not given."""
    one_of("section_order", order, get_args(SectionOrder))
    if order == "axial" and sections is None:
        raise ValueError('section_order is "axial" and sections is None; the pairs of each axis are expected')
    return order  # type: ignore[no-any-return]


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
