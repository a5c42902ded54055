"""Where a table is a geometric progression: its beginning, its end, or all of it."""

import math
from typing import NamedTuple

import numpy as np

from yarncore.identification.fit import Fit, Table
from yarncore.identification.standard import WRITTEN


class Run(NamedTuple):
    """Pairs start to stop - 1 are level * base^-exponent."""

    start: int
    stop: int
    base: float
    level: float


def first_run(table: Table) -> Run | None:
    """The longest progression that begins with the first pair; two pairs are one where it is that of a base of few digits."""
    bends = _bends(table)
    stop = int(np.argmax(bends)) + 2 if bends.any() else table.turning
    return _line(table, 0, stop) if stop >= 3 else _of_two(table) if stop == 2 else None


def _of_two(table: Table) -> Run | None:
    line = -math.log(table.values[1]) / float(table.exponents[1])
    if not 0 < line < 200:
        return None
    short = float(f"{math.exp(line):.1e}")
    both = np.abs(np.array([1.0, short ** -float(table.exponents[1])]) / table.values[:2] - 1) <= table.tolerance[:2]
    return Run(0, 2, short, 1.0) if both.all() and short > 1 else None


def last_run(table: Table) -> Run | None:
    """The longest progression that ends with the last pair."""
    bends = _bends(table)
    start = len(bends) - int(np.argmax(bends[::-1])) if bends.any() else 0
    return _line(table, start, table.turning) if table.turning - start >= 3 else None


def _bends(table: Table) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    """Whether three neighbours do not lie on a line of logarithms, for each that has two."""
    logs, allowed = np.log(table.values), table.tolerance
    if len(logs) < 3:
        return np.zeros(0, dtype=bool)
    second = logs[2:] - 2 * logs[1:-1] + logs[:-2]
    return np.asarray(np.abs(second) > allowed[2:] + 2 * allowed[1:-1] + allowed[:-2])


def _line(table: Table, start: int, stop: int) -> Run | None:
    part = slice(start, stop)
    weights = 1 / table.tolerance[part]
    design = np.stack([np.ones(stop - start), -table.exponents[part]], axis=1) * weights[:, None]
    (height, slope), *_ = np.linalg.lstsq(design, np.log(table.values[part]) * weights, rcond=None)
    if not 0 < slope < 200:
        return None
    return Run(start, stop, math.exp(slope), math.exp(height))


def level_fit(table: Table) -> Fit | None:
    """All pairs as one progression; None of one pair."""
    if table.turning < 2:
        return None
    run = _line(table, 0, table.turning)
    least, most = WRITTEN["base"]
    if run is None or not least <= run.base <= most:
        return _nearest_level(table, most if run is not None and run.base > most else least)
    fit = Fit("level", run.base, run.level, run.level)
    pinned = Fit("level", _pinned_base(table), 1.0, 1.0)
    return pinned if pinned.miss(table) <= 1 else fit


def _pinned_base(table: Table) -> float:
    """The base of a progression from 1."""
    weights = table.exponents / table.tolerance**2
    slope = -float(weights @ np.log(table.values)) / float(weights @ table.exponents)
    return math.exp(min(max(slope, 1e-3), 200.0))


def _nearest_level(table: Table, base: float) -> Fit:
    """Of what hardly falls, or more than any base that somebody writes: the progression of the last such base."""
    level = math.exp(float(np.mean(np.log(table.values) + table.exponents * math.log(base))))
    return Fit("level", base, level, level)
