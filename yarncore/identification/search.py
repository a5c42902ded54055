"""Inverse frequencies -> every reading, by laying the known families over them one after the other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from yarncore.identification import by_pairs, by_turns
from yarncore.identification.candidates import of_fit
from yarncore.identification.divisors import of_few_decimals
from yarncore.identification.fit import Fit, Table
from yarncore.identification.readings import Reading, checked, in_order
from yarncore.identification.runs import Run, first_run, last_run, level_fit
from yarncore.identification.standard import WRITTEN, digits

_FEW = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes
    ----------
    readings : tuple of Reading
        Those with standard values first; empty where there is none.
    nearest : Fit
        The one that misses least.
    rounded_to : str or None
        The 16-bit type that all readings have to be rounded to.
    """

    readings: tuple[Reading, ...]
    nearest: Fit | None
    rounded_to: str | None = None


def search(table: Table) -> Found:
    """All readings of a table, or the fit that comes nearest."""
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that no method has: they fit nothing
        return _searched(table)


def _searched(table: Table) -> Found:
    fits: list[Fit] = []
    readings: list[Reading] = []
    for family in (_levels, _whole_ramps, _real_ramps, _ramps_by_turns):
        if readings and not (family is _ramps_by_turns and _kind_is_open(fits, table)):
            continue
        of_family = [fit for fit in family(table) if _is_written(fit)]
        fits += of_family
        readings += checked([each for fit in of_family for each in of_fit(fit, table)], table)
    if not readings:
        readings += of_few_decimals(table)
    nearest = min(fits, key=lambda fit: fit.miss(table), default=None)
    return Found(tuple(in_order(readings)), nearest)


def _is_written(fit: Fit) -> bool:
    """Whether it could be of a method: what fits a table with other numbers than these comes near for nothing."""
    return WRITTEN["base"][0] <= fit.base <= WRITTEN["base"][1] and fit.first > 0 and fit.last > 0


def _kind_is_open(fits: list[Fit], table: Table) -> bool:
    """Whether few pairs lie within the ramp: then a straight line of indices is one of turns, too."""
    best = min(fits, key=lambda fit: fit.miss(table))
    weight = best.weight(table)
    return best.kind == "pairs" and ((weight > 0) & (weight < 1)).sum() <= _FEW


def _levels(table: Table) -> Iterator[Fit]:
    fit = level_fit(table)
    if fit is not None:
        yield fit


def _whole_ramps(table: Table) -> Iterator[Fit]:
    if table.still or table.turning < 3:
        return
    fits = by_pairs.whole_ramps(table, first_run(table), last_run(table))
    right = [fit for fit in fits if fit.miss(table) <= 1]
    yield from sorted(right, key=lambda fit: digits(float(f"{fit.first / fit.last:.4g}")))[:12] if right else fits[:1]


def _seeds(table: Table) -> Iterator[Fit]:
    """A ramp between a beginning and an end that are progressions, where it lies left open."""
    first, last = first_run(table), last_run(table)
    if last is None or not 0 < last.level < 1:
        return
    base = last.base
    if first is not None and abs(first.level - 1) <= 1e-3:
        base = _of_both(table, first, last)
    for each in _short_first(base):
        yield Fit("pairs", each, 1.0, _level(table, last, each))


def _open_seeds(table: Table) -> Iterator[Fit]:
    """The base of a beginning that is a progression from 1, where the last pair has left it: all else is left open."""
    first = first_run(table)
    if first is None or abs(first.level - 1) > 1e-3:
        return
    for base in _short_first(first.base):
        multiplier = float(table.values[-1]) * base ** float(table.exponents[-1])
        if 0 < multiplier < 1:
            yield Fit("pairs", base, 1.0, multiplier, first.stop - 1, table.turning)


def _short_first(base: float) -> tuple[float, ...]:
    short = float(f"{base:.2e}")
    return (short,) if abs(short / base - 1) < 1e-4 else (short, base)


def _of_both(table: Table, first: Run, last: Run) -> float:
    """The base that both progressions share."""
    parts = [slice(first.start, first.stop), slice(last.start, last.stop)]
    top = sum(_slope_part(table, part)[0] for part in parts)
    return math.exp(-top / sum(_slope_part(table, part)[1] for part in parts))


def _slope_part(table: Table, part: slice) -> tuple[float, float]:
    e, logs = table.exponents[part], np.log(table.values[part])
    centred = e - e.mean()
    return float(centred @ logs), float(centred @ centred)


def _level(table: Table, run: Run, base: float) -> float:
    part = slice(run.start, run.stop)
    return float(np.exp(np.mean(np.log(table.values[part]) + math.log(base) * table.exponents[part])))


def _real_ramps(table: Table) -> Iterator[Fit]:
    if table.still or table.turning < 4 or abs(table.values[0] - 1) > table.tolerance[0]:
        return
    near = by_pairs.whole_ramps(table, first_run(table), last_run(table))
    for fit in near[:2]:
        if fit.first == 1.0 and fit.miss(table) > 1:
            yield from by_pairs.real_ramp(table, fit)
    yield from _seeds(table)
    yield from _open_seeds(table)


def _ramps_by_turns(table: Table) -> Iterator[Fit]:
    if table.still or table.turning < 4:
        return
    yield from by_turns.ramps(table, first_run(table), last_run(table))
    for seed in (*_seeds(table), *_open_seeds(table)):
        yield replace(seed, kind="turns", low=1.0, high=1e-9)
