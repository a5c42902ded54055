"""Inverse frequencies -> Identification."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from yarncore.engines import tables
from yarncore.engines.tables import round_to
from yarncore.identification.amplitude import EXACT, with_temperature
from yarncore.identification.bounds import all_that_is_determined
from yarncore.identification.divisors import divisors_of, reading
from yarncore.identification.fit import TOLERANCE, Fit, Floats, Table, straight_line
from yarncore.identification.identified import Identification
from yarncore.identification.readings import Reading, compared
from yarncore.identification.search import Found, search
from yarncore.identification.sixteen_bits import written
from yarncore.identification.standard import BASES, WRITTEN, digits
from yarncore.identification.stored import stored_type, tolerance_of
from yarncore.rope.rope import Rope

_ALIKE = 0.9
_OF_A_RECURRENCE = 8e-6  # how far float32 products in a row may drift
_ANOTHER_BASE = (
    "NTK-aware scaling is another base: from any smaller base b these are the numbers of NTKAware((base / b)^((d-2)/d)), and of "
    "DynamicNTK at the length where factor l / L - (factor - 1) is that"
)
_NO_TEMPERATURE = "frequencies do not tell YaRN from NTK-by-parts: the temperature is in cos and sin, or in the softmax"


def of_frequencies(
    theta: Floats,
    tolerance: Floats | None = None,
    factor: float | None = None,
    factor_tolerance: float = EXACT,
    **seen: Any,
) -> Identification:
    """What inverse frequencies are, of a table with the amplitude `factor`.

    Parameters
    ----------
    theta : float64 array, shape (pairs,)
        Finite, >= 0.
    tolerance : float64 array, shape (pairs,), optional
        Relative, of measured ones.
    """
    stored = stored_type(theta) if tolerance is None else "float32"
    turning = int(np.flatnonzero(theta)[-1]) + 1 if theta.any() else 0
    values = theta[:turning]
    notes: list[str] = list(seen.pop("notes", ()))
    seen.setdefault("stored", stored)
    if turning < 1 or (values <= 0).any():
        notes.append("frequencies of 0 or below between others: no method has them" if turning else "nothing turns")
        nearest = _nearest_without(values, len(theta)) if (values > 0).sum() > 1 else None
        return Identification("none", (), nearest, tuple(theta.tolist()), factor, notes=tuple(notes), **seen)
    table = Table(
        values, np.full(turning, TOLERANCE) if tolerance is None else tolerance[:turning], len(theta) - turning
    )
    found = _searched(table, theta, stored if tolerance is None else "")
    readings = with_temperature(
        _without_drift(found.readings, table, tolerance is not None), factor, notes, factor_tolerance
    )
    if readings and readings[0].method in ("plain", "NTKAware") and not _is_standard(readings[0]):
        notes.append(_ANOTHER_BASE)
    if factor is None and readings and readings[0].method in ("YaRN", "NTKByParts"):
        notes.append(_NO_TEMPERATURE)
    if readings and readings[0].rope is not None:
        notes += all_that_is_determined(readings[0].rope, table)
    nearest = None if readings or found.nearest is None else _as_reading(found.nearest, table)
    if turning == 1:
        nearest = _of_one_pair(float(values[0]))
    if nearest is not None and nearest.miss <= 1 and not readings:
        notes.append(
            "the nearest has these frequencies, but it was fitted with as many numbers as they tell: they determine no method"
        )
    method = readings[0].method if readings else "none"
    seen["frequency_type"] = found.rounded_to
    return Identification(method, readings, nearest, tuple(theta.tolist()), factor, notes=tuple(notes), **seen)


def _is_standard(reading: Reading) -> bool:
    return reading.rope is not None and reading.rope.scaling is None and reading.rope.base in BASES


def _searched(table: Table, theta: Floats, stored: str) -> Found:
    """At float32's noise; then with what a 16-bit type, or ggml's recurrence, adds to it."""
    found = search(table)
    if found.readings and not (table.still and stored == "float16"):  # which may have lost its slowest pairs
        return found
    if stored in ("bfloat16", "float16") and (readings := written(theta, stored)):
        return Found(readings, found.nearest, stored)
    if found.readings or not stored:
        return found
    if stored in ("bfloat16", "float16"):
        wide = replace(table, tolerance=np.maximum(table.tolerance, tolerance_of(stored, table.values)))
        rounded = search(wide)
        right = tuple(one for one in rounded.readings if _rounds_to(one, table, stored))
        if right:
            return Found(right, found.nearest, stored)
        return found
    drifted = search(replace(table, tolerance=np.maximum(table.tolerance, _OF_A_RECURRENCE)))
    right = tuple(one for one in (_recurrent(each, table) for each in drifted.readings) if one is not None)
    return Found(right, found.nearest)


def _rounds_to(reading: Reading, table: Table, stored: str) -> bool:
    """Whether its frequencies, rounded, are the table's: nearly all of them, for a float32 in between may tip one over."""
    if reading.rope is None:
        return False
    rounded = round_to(stored, reading.rope.at().inverse_frequencies[: table.turning])
    return bool((rounded == table.values).mean() >= _ALIKE)


def _without_drift(readings: tuple[Reading, ...], table: Table, measured: bool) -> tuple[Reading, ...]:
    """Where the first has an odd base near a round one: the round one, if ggml's recurrence of it makes the table."""
    if not readings or readings[0].rope is None:
        return readings
    rope = readings[0].rope
    if digits(rope.base) <= 3 and digits(getattr(rope.scaling, "factor", 1.0)) <= 3:
        return readings
    recurrent = _recurrent(readings[0], table)
    if recurrent is None or recurrent.rope == rope or (recurrent.error > readings[0].error and not measured):
        return readings
    others = [_recurrent(each, table) for each in readings[1:]]
    return (recurrent, *(one for one in others if one is not None))


def _recurrent(reading: Reading, table: Table) -> Reading | None:
    """The reading with a round base, where a float32 recurrence of its frequencies makes the table."""
    if reading.rope is None:
        return None
    for count in (0, 1, 2):
        base = float(f"{reading.rope.base:.{count}e}")
        if abs(base / reading.rope.base - 1) < 1e-4:
            rope = Rope(reading.rope.head_dim, base, _with_round_factor(reading.rope.scaling))
            try:
                made = tables.angles(rope, np.ones(1), phase="float32-recurrence")[0].astype(np.float64)
            except ValueError:
                return None
            error = float(np.abs(made[: table.turning] / table.values - 1).max())
            if error <= 2 * TOLERANCE:  # measured tables of llama.cpp are known no better
                note = "by a float32 recurrence, as ggml makes them"
                return Reading(reading.method, rope, error, error / TOLERANCE, note)
    return None


def _with_round_factor(scaling: Any) -> Any:
    factor = getattr(scaling, "factor", None)
    if factor is None or abs((short := float(f"{factor:.2e}")) / factor - 1) > 1e-5:
        return scaling
    return replace(scaling, factor=short)


def of_divisors(theta: Floats, base: float, factor: float | None = None) -> Identification:
    """Any table as LongRoPE, which was asked for."""
    table = Table(theta, np.full(len(theta), TOLERANCE))
    found = reading(table, base, divisors_of(table, base), "asked for: any table is LongRoPE of some divisors")
    return Identification("LongRoPE", (found,), None, tuple(theta.tolist()), factor, stored=stored_type(theta))


def _nearest_without(values: Floats, pairs: int) -> Reading:
    """The progression that comes nearest to those that turn, of which the others are missing."""
    there = np.flatnonzero(values > 0)
    line = -straight_line(there / pairs, np.log(values[there]))[0]
    base = math.exp(float(np.clip(line, *np.log(WRITTEN["base"]))))
    made = base ** -(np.arange(len(values)) / pairs)
    level = float(np.exp(np.mean(np.log(values[there] / made[there]))))
    error = float(np.abs(values / (level * made) - 1).max())
    return Reading(f"base {base:.6g}, every frequency times {level:.6g}", None, error, error / TOLERANCE)


def _of_one_pair(value: float) -> Reading:
    error = abs(1 / value - 1)
    return Reading("a first pair, which turns by 1 whatever the base", None, error, error / TOLERANCE)


def _as_reading(fit: Fit, table: Table) -> Reading:
    error, miss = float(fit.errors(table).max()), fit.miss(table)
    times = "" if fit.first == 1 else f", every frequency times {fit.first:.6g}"
    ramp = f"a ramp from pair {fit.low:.4g} to {fit.high:.4g}, base {fit.base:.6g}, factor {fit.first / fit.last:.6g}"
    kinds = {
        "level": f"base {fit.base:.6g}{times}",
        "pairs": ramp + times,
        "turns": f"a ramp as Llama 3's, base {fit.base:.6g}, factor {1 / fit.last:.6g}",
    }
    plain = compared("plain", table, fit.base, None) if fit.kind == "level" and fit.first == 1 else None
    return Reading(kinds[fit.kind], None if plain is None else plain.rope, error, miss)
