"""Frequencies that are not those expected: the mistake that makes the one of the other, in words."""

import math

import numpy as np

from yarncore.identification.fit import Floats

_NEAR = 1e-5
_UNITS = (
    (1 / (2 * math.pi), "numbers of turns a token, where radians are expected"),
    (180 / math.pi, "degrees a token, where radians are expected"),
    (2.0, "positions are doubled, or it rotates twice"),
)


def cause_of(theirs: Floats, ours: Floats, factor: float | None) -> str | None:
    """Why all frequencies differ as they do; None where no single mistake explains it.

    Parameters
    ----------
    theirs, ours : float64 arrays, shape (pairs,)
    factor : float or None
        s of the scaling that is expected.
    """
    if theirs.shape != ours.shape:
        return _of_number(theirs, ours)
    if (theirs <= 0).any() or (ours <= 0).any():
        return None
    ratio = float(np.exp(np.mean(np.log(theirs / ours))))
    if _alike(theirs, ratio * ours):
        return _of_ratio(ratio, factor)
    for other, words in (
        (
            np.sqrt(ours),
            "each is the square root of the one expected: exponents i / d for 2i / d, or the base's root",
        ),
        (ours**2, "each is the square of the one expected: the base, or the exponents, are taken twice"),
        (1 / ours, "each is one divided by the one expected: base^(2i / d), where base^(-2i / d) is expected"),
        (2 * math.pi / ours, "wavelengths in tokens, where radians a token are expected"),
        (ours[::-1], "they are the expected ones in reverse order"),
    ):
        if _alike(theirs, other):
            return words
    if _alike(np.sort(theirs), np.sort(ours)):
        return "they are the expected ones in another order"
    return None


def cause_of_base(theirs: float, ours: float) -> str | None:
    """Why a base differs as it does."""
    if abs(theirs**2 / ours - 1) < _NEAR:
        return f"its base {theirs:.7g} is the square root of {ours:.7g}"
    return f"its base {theirs:.7g} is the square of {ours:.7g}" if abs(theirs / ours**2 - 1) < _NEAR else None


def _of_ratio(ratio: float, factor: float | None) -> str:
    said = f"every frequency is {ratio:.6g} times the one expected"
    for value, words in _UNITS:
        if abs(ratio / value - 1) < _NEAR:
            return f"{said}: {words}"
    if factor is not None and factor > 1:
        if abs(ratio / factor**2 - 1) < _NEAR:
            return f"{said}: multiplied by the factor {factor:g}, where it divides"
        if abs(ratio * factor - 1) < _NEAR:
            return f"{said}: divided by the factor {factor:g} once more"
    return f"{said}, as if positions were multiplied by that"


def _of_number(theirs: Floats, ours: Floats) -> str | None:
    if len(theirs) == 2 * len(ours):
        for other, words in ((np.tile(ours, 2), "one row after the other"), (np.repeat(ours, 2), "side by side")):
            if _alike(theirs, other):
                return f"each expected frequency stands there twice, {words}: one a pair is expected"
    return None


def _alike(one: Floats, other: Floats) -> bool:
    return bool(np.allclose(one, other, rtol=_NEAR, atol=0))
