"""Sections: groups of pairs that turn by positions of their own (time, height, width)."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from yarncore._arguments import integer, one_of

SectionOrder = Literal["contiguous", "interleaved", "time_last", "grouped", "axial", "axial_interleaved"]

_MOST_SECTIONS = 8


def checked_sections(sections: Any, pairs: int) -> tuple[int, ...]:
    """The number of pairs of each section, whose sum is `pairs`; TypeError or ValueError where it is not.

    A section of no pairs turns nothing; its positions are there all the same.
    """
    if isinstance(sections, str) or not hasattr(sections, "__iter__"):
        raise TypeError(f"sections is {sections!r}; a sequence of integers is expected")
    counts = tuple(integer(f"sections[{i}]", value) for i, value in enumerate(sections))
    if not 1 <= len(counts) <= _MOST_SECTIONS or min(counts) < 0 or sum(counts) != pairs:
        raise ValueError(
            f"sections is {sections!r}; 1 to {_MOST_SECTIONS} integers >= 0 whose sum is rotary_dim / 2 = {pairs} are expected"
        )
    return counts


def checked_order(order: Any, sections: tuple[int, ...] | None) -> SectionOrder:
    """`order` if it is a known one that suits the sections; TypeError or ValueError where it is not."""
    one_of("section_order", order, tuple(_SECTION_OF_PAIRS))
    if order not in ("contiguous", "interleaved") and sections is None:
        raise ValueError(f'section_order is "{order}" and sections is None; the pairs of each section are expected')
    if order == "time_last" and sections is not None and (len(sections) < 2 or len(set(sections[1:])) != 1):
        raise ValueError(
            f'section_order is "time_last" and sections is {sections!r}; a first section and others of equal length are '
            "expected"
        )
    if order in ("grouped", "axial_interleaved") and sections is not None and len(set(sections)) != 1:
        raise ValueError(
            f'section_order is "{order}" and sections is {sections!r}; sections of equal length are expected'
        )
    return order  # type: ignore[no-any-return]


def series_of(sections: tuple[int, ...] | None, order: SectionOrder, pairs: int) -> tuple[int, ...]:
    """How many pairs each series of frequencies has: one for all pairs, or one for each section that has any."""
    own = order in ("axial", "axial_interleaved") and sections is not None
    return tuple(filter(None, sections)) if own and sections is not None else (pairs,)


def places_in_series(sections: tuple[int, ...] | None, order: SectionOrder) -> npt.NDArray[np.intp] | None:
    """Where the frequency of each pair stands in the series, one after the other; None: in the order of the pairs."""
    if sections is None or order not in ("grouped", "axial_interleaved"):
        return None
    of_turn = np.argsort(_dealt_out(sections), kind="stable")  # the pairs of the first section, of the second, ...
    return of_turn if order == "grouped" else np.argsort(of_turn)


def section_of_pairs(sections: tuple[int, ...], order: SectionOrder) -> npt.NDArray[np.uint8]:
    """The section of each pair, shape (pairs,), read-only."""
    narrow = _SECTION_OF_PAIRS[order](sections).astype(np.uint8)
    narrow.flags.writeable = False
    return narrow


def _one_after_the_other(sections: tuple[int, ...]) -> npt.NDArray[Any]:
    """transformers, modeling_qwen2_vl.py."""
    return np.repeat(np.arange(len(sections)), sections)


def _dealt_out(sections: tuple[int, ...]) -> npt.NDArray[Any]:
    """Pair i: section i mod n while that section lasts, else the first (modeling_qwen3_vl.py, apply_interleaved_mrope)."""
    index = np.arange(sum(sections))
    turn = index % len(sections)
    return np.where(index < np.asarray(sections)[turn] * len(sections), turn, 0)


def _first_section_last(sections: tuple[int, ...]) -> npt.NDArray[Any]:
    """The others in turn, then the first (modeling_ernie4_5_vl_moe.py, recomposition_frequencies)."""
    others = len(sections) - 1
    in_turn = 1 + np.arange(sum(sections[1:])) % others
    return np.concatenate([in_turn, np.zeros(sections[0], dtype=in_turn.dtype)])


_SECTION_OF_PAIRS: dict[SectionOrder, Callable[[tuple[int, ...]], npt.NDArray[Any]]] = {
    "contiguous": _one_after_the_other,
    "interleaved": _dealt_out,
    "time_last": _first_section_last,
    "grouped": _one_after_the_other,
    "axial": _one_after_the_other,
    "axial_interleaved": _dealt_out,
}
