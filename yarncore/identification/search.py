"""Inverse frequencies -> every reading, by laying the known families over them one after the other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from yarncore.identification import by_pairs, by_turns
from yarncore.identification.divisors import of_few_decimals
from yarncore.identification.fit import Fit, Table
from yarncore.identification.readings import Reading, of_fit
from yarncore.identification.runs import Run, first_run, last_run, level_fit
from yarncore.identification.standard import BETAS, digits
from yarncore.scaling import Llama3, NTKByParts

_MOST = 24
_FAR = 8  # digits and more beyond the first: nobody writes such numbers where there are shorter ones


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
        if readings and not (family is _ramps_by_turns and _is_step(fits[-1], table)):
            continue
        for fit in family(table):
            fits.append(fit)
            readings += [reading for reading in of_fit(fit, table) if reading.miss <= 1]
    if not readings:
        readings += of_few_decimals(table)
    nearest = min(fits, key=lambda fit: fit.miss(table), default=None)
    return Found(tuple(_in_order(readings))[:_MOST], nearest)


def _is_step(fit: Fit, table: Table) -> bool:
    """Whether a ramp has no pair within it: then its kind cannot be told."""
    weight = fit.weight(table)
    return fit.kind == "pairs" and not ((weight > 0) & (weight < 1)).any()


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
    short = float(f"{base:.2e}")
    for each in (short,) if abs(short / base - 1) < 1e-4 else (short, base):
        yield Fit("pairs", each, 1.0, _level(table, last, each))


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


def _ramps_by_turns(table: Table) -> Iterator[Fit]:
    if table.still or table.turning < 4:
        return
    yield from by_turns.ramps(table, first_run(table), last_run(table))
    for seed in _seeds(table):
        yield replace(seed, kind="turns", low=1.0, high=1e-9)


def _in_order(readings: list[Reading]) -> list[Reading]:
    """Those with standard values first, each once."""
    unique = {reading.rope or reading.method: reading for reading in reversed(readings)}
    ordered = sorted(unique.values(), key=roughness)
    return [reading for reading in ordered if roughness(reading)[0] <= roughness(ordered[0])[0] + _FAR]


def roughness(reading: Reading) -> tuple[float, ...]:
    """How far from what configurations of published models have."""
    rope = reading.rope
    if rope is None:
        return (100.0,)
    scaling = rope.scaling
    numbers = digits(rope.base)
    numbers += digits(getattr(scaling, "factor", 1.0))
    numbers += digits(getattr(scaling, "original_length", 1))
    unusual = 0.0
    if isinstance(scaling, NTKByParts):
        numbers += digits(scaling.beta_fast) + digits(scaling.beta_slow) - 2
        betas = scaling.beta_fast, scaling.beta_slow
        unusual += 0 if betas == (32.0, 1.0) else 1 if betas in BETAS else 3
        unusual += (0 if scaling.truncate else 0.5) + (1.75 if scaling.ramp == "rotations" else 0)
        unusual += 0 if _is_power_of_two(scaling.original_length) else 0.25
    elif isinstance(scaling, Llama3):
        numbers += digits(scaling.low_freq_factor) + digits(scaling.high_freq_factor) - 2
        unusual += 0 if (scaling.low_freq_factor, scaling.high_freq_factor) == (1.0, 4.0) else 1.5
        unusual += 0 if _is_power_of_two(scaling.original_length) else 0.25
    return (numbers + unusual, unusual, getattr(scaling, "original_length", 0))


def _is_power_of_two(length: int) -> bool:
    return length & (length - 1) == 0
