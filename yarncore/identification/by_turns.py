"""Ramps over a pair's number of turns: Llama 3's scaling, and the YaRN of the paper's text."""

import math
from collections.abc import Iterator

from yarncore.identification.fit import Fit, Floats, Table, least_squares, straight_line
from yarncore.identification.runs import Run
from yarncore.identification.standard import BASES


def ramps(table: Table, first: Run | None, last: Run | None) -> Iterator[Fit]:
    """The nearest fits: multipliers linear in theta between 1 and the level of the last pairs."""
    for base in _starts(first, last):
        theta = base**-table.exponents
        multipliers = table.values / theta
        ends = [1.0 if last is None else last.level]
        if last is None:
            ends = [float(multipliers[-1]), 0.9 * float(multipliers[-1])]
        for end in ends:
            if 0 < end < 1:
                yield from _between(table, base, theta, multipliers, end)


def _starts(first: Run | None, last: Run | None) -> list[float]:
    if first is not None and abs(first.level - 1) < 1e-4:
        return [first.base]
    return [last.base] if last is not None else list(BASES[:8])


def _between(table: Table, base: float, theta: Floats, multipliers: Floats, end: float) -> Iterator[Fit]:
    kept = (multipliers - end) / (1 - end)
    inside = (kept > 1e-4) & (kept < 1 - 1e-4)
    if inside.sum() < 2:
        return
    slope, height = straight_line(theta[inside], kept[inside])
    if not slope > 0:
        return

    def fit_of(z: Floats) -> Fit:
        log_base, log_end, log_low, log_width = z
        bottom = math.exp(min(log_low, 50.0))
        return Fit(
            "turns", math.exp(min(max(log_base, 1e-3), 200.0)), 1.0, math.exp(min(log_end, 0.0)),
            bottom + math.exp(min(log_width, 50.0)), bottom,
        )  # fmt: skip

    top, bottom = (1 - height) / slope, max(-height / slope, 1e-12)
    if top <= bottom:
        return
    yield least_squares(fit_of, (math.log(base), math.log(end), math.log(bottom), math.log(top - bottom)), table, 30)
