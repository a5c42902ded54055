"""Two Ropes compared, in words and numbers: what was asked for, and what somebody else would compute."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from yarncore.rope.rope import Rope

_SAME = 1e-9  # far below float32's rounding, far above that of a float64 power
_SAME_IN_FLOAT32 = 4e-7
_LONGEST = 2**53


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between a Rope and another.

    Attributes
    ----------
    layout : tuple of str
        Other elements turn, or by other positions: the two have nothing in common.
    numbers : tuple of str
        By how much the same rotation differs.
    """

    layout: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.layout or self.numbers)

    def __str__(self) -> str:
        return "; ".join((*self.layout, *self.numbers))


def difference(wanted: Rope | None, found: Rope | None, float32: bool = False) -> Difference:
    """What differs where `found` stands in the place of `wanted`; falsy where both compute the same, or do to float32."""
    if wanted is None or found is None:
        words = "there is a rotation where none is wanted" if wanted is None else "there is no rotation"
        return Difference() if wanted is found else Difference(layout=(words,))
    layout = tuple(_layout(wanted, found))
    return (
        Difference(layout=layout)
        if layout
        else Difference(numbers=tuple(_numbers(wanted, found, _SAME_IN_FLOAT32 if float32 else _SAME)))
    )


def _layout(wanted: Rope, found: Rope) -> Iterator[str]:
    for name in ("head_dim", "rotary_dim", "rotary_start", "interleaved", "reversed", "sections", "section_order"):
        ours, theirs = getattr(wanted, name), getattr(found, name)
        if ours != theirs:
            yield f"{name} {theirs!r} in place of {ours!r}"


def _numbers(wanted: Rope, found: Rope, same: float) -> Iterator[str]:
    at: dict[str, tuple[float, str]] = {}
    for length in _lengths(wanted, found):
        ours, theirs = wanted.at(length), found.at(length)
        where = "" if length is None else f" at {length} tokens"
        pair, ratio = _worst_pair(ours.inverse_frequencies, theirs.inverse_frequencies)
        faster = f"pair {pair} turns {_digits(ratio, 1.0, 4)} times as fast as it should{where}"
        _keep_largest(at, "frequency", ratio, faster)
        for name in ("attention_factor", "softmax_scale_factor"):
            right, given = float(getattr(ours, name)), float(getattr(theirs, name))
            words = f"{name} {_digits(given, right)} in place of {_digits(right, given)}{where}"
            _keep_largest(at, name, given / right, words)
    _add_query_scales(at, wanted, found)
    yield from (words for size, words in at.values() if size > same)


def _add_query_scales(at: dict[str, tuple[float, str]], wanted: Rope, found: Rope) -> None:
    """By how much queries are multiplied, at positions on both sides of steps and beyond."""
    ours, theirs = wanted.query_scale, found.query_scale
    if ours == theirs:
        return
    lengths = {scale.numbers.length for scale in (ours, theirs) if scale is not None}
    for position in sorted({place for n in lengths for place in (n - 1, n, 2 * n, 8 * n)}):
        right, given = (1.0 if scale is None else scale.at(position) for scale in (ours, theirs))
        words = f"queries at position {position} multiplied by {given:.6g} in place of {right:.6g}"
        _keep_largest(at, "query scale", given / right, words)


def _digits(number: float, other: float, digits: int = 6) -> str:
    """As few as tell it from another that differs."""
    while digits < 17 and number != other and f"{number:.{digits}g}" == f"{other:.{digits}g}":
        digits += 1
    return f"{number:.{digits}g}"


def _keep_largest(at: dict[str, tuple[float, str]], what: str, ratio: float, words: str) -> None:
    size = math.inf if ratio in (0, math.inf) else abs(math.log(ratio))
    if size > at.get(what, (0.0, ""))[0]:
        at[what] = (size, words)


def _worst_pair(wanted: Any, found: Any) -> tuple[int, float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(wanted == found, 1.0, found / wanted)
        pair = int(np.argmax(np.abs(np.log(ratio))))
    return pair, float(ratio[pair])


def _lengths(*ropes: Rope) -> tuple[int | None, ...]:
    """None where no length matters; else lengths on both sides of every switch, and beyond."""
    scalings = [rope.scaling for rope in ropes if rope.scaling is not None and rope.scaling.needs_length]
    if not scalings:
        return (None,)
    originals = {getattr(scaling, "original_length", 1) for scaling in scalings}
    ends = {round((scaling.context_factor() or 1) * getattr(scaling, "original_length", 1)) for scaling in scalings}
    around = {*originals, *(n + 1 for n in originals), *(times * n for n in originals for times in (2, 3, 8)), *ends}
    return tuple(sorted(length for length in around if length < _LONGEST))
