"""Ramps that leave the table before they end: no pair is divided by the whole factor, which hides behind the ramp's slope."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from yarncore.identification.bounds import RampNumbers, placed, rounded_lengths, turns_ratio
from yarncore.identification.fit import Fit, Floats, Table, straight_line
from yarncore.identification.standard import digits, rounded

_INSIDE = 1e-5  # of a multiplier below 1
_SHORT = 4  # digits of a factor


def open_ends(
    fit: Fit, table: Table, betas: Sequence[tuple[float, float]], factors: Sequence[float]
) -> Iterator[tuple[Fit, RampNumbers]]:
    """For each pair of betas, the factor and the length that make the slope and the place of such a ramp.

    Parameters
    ----------
    fit : Fit
        Whose base is that of the table.
    factors : sequence of float
        Those that are tried where one pair alone lies within the ramp, and has no slope.
    """
    theta = fit.base**-table.exponents
    multipliers = table.values / theta
    inside = np.flatnonzero(multipliers < 1 - _INSIDE)
    if not inside.size or inside[0] == 0 or inside[-1] != table.turning - 1 or len(inside) != table.turning - inside[0]:
        return
    at = theta if fit.kind == "turns" else np.arange(table.turning, dtype=np.float64)
    for beta_fast, beta_slow in betas:
        if beta_fast > beta_slow:
            for factor, length in _solved(fit, table, at[inside], multipliers[inside], (beta_fast, beta_slow), factors):
                yield from _rounded(fit, table, factor, length, (beta_fast, beta_slow))


def _solved(
    fit: Fit, table: Table, at: Floats, multipliers: Floats, betas: tuple[float, float], factors: Sequence[float]
) -> Iterator[tuple[float, float]]:
    """Factors and lengths. A multiplier is 1 - step * weight, whose step is 1 - 1 / factor."""
    beta_fast, beta_slow = betas
    slope, height = straight_line(at, multipliers)
    if fit.kind == "turns":  # weight = (beta_fast - L theta / 2 pi) / width
        width = beta_fast - beta_slow
        told = (1 - height) * width / beta_fast
    else:  # weight = (i - low) / width
        width = math.log(beta_fast / beta_slow) * table.turning / math.log(fit.base)
        told = -slope * width
    for step in [told] if len(at) > 1 else [1 - 1 / factor for factor in factors]:
        weight = (1 - float(multipliers[-1])) / step if 0 < step < 1 else 0.0
        if not 0 < weight < 1:
            continue
        if fit.kind == "turns":
            yield 1 / (1 - step), 2 * math.pi * (beta_fast - weight * width) / float(at[-1])
        else:
            yield 1 / (1 - step), beta_fast * turns_ratio(fit, table, float(at[-1]) - weight * width)


def _rounded(
    fit: Fit, table: Table, factor: float, length: float, betas: tuple[float, float]
) -> Iterator[tuple[Fit, RampNumbers]]:
    """The two with few digits, where they make the table."""
    lengths = list(rounded_lengths(length, *betas))[:6]
    short = [each for each in rounded(factor, _SHORT) if each > 1 and abs(each / factor - 1) < 1e-2]
    for each, numbers in sorted(
        itertools.product(short, lengths), key=lambda both: digits(both[0]) + digits(both[1].original_length)
    ):
        made = placed(replace(fit, first=1.0, last=1 / each), table, numbers)
        if made.miss(table) <= 1:
            yield made, numbers
            return
