"""What a fit is called: Ropes that have its numbers, those with standard values first."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from yarncore.identification.bounds import RampNumbers, from_betas, numbers_within, placed, real_bounds, whole_bounds
from yarncore.identification.fit import OF_A_WEIGHT, Fit, Table, determined, round_numbers
from yarncore.identification.standard import BASES, BETAS, LLAMA3_FACTORS, digits
from yarncore.rope.rope import Rope
from yarncore.scaling import Llama3, NTKAware, NTKByParts, PositionInterpolation, Proportional
from yarncore.scaling.scaling import Scaling
from yarncore.scaling.unscaled import unscaled_inverse_frequencies


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to say what a table is.

    Attributes
    ----------
    method : str
        The scaling's name, "plain", or what somebody else computes.
    rope : Rope or None
        None where no scaling of yarncore computes it.
    error : float
        Of the frequencies, relative, the largest.
    miss : float
        The same in tolerances: at most 1 where the table is reproduced.
    note : str
        What is to be said beside it.
    """

    method: str
    rope: Rope | None
    error: float
    miss: float
    note: str = ""

    def __str__(self) -> str:
        text = self.method if self.rope is None else repr(self.rope)
        return f"{text}  ({self.note})" if self.note else text


def of_fit(fit: Fit, table: Table) -> Iterator[Reading]:
    """All readings of a fit."""
    if fit.kind == "level":
        yield from _of_level(fit, table)
    elif table.still == 0:
        yield from _of_pairs(fit, table) if fit.kind == "pairs" else _of_turns(fit, table)


def compared(method: str, table: Table, base: float, scaling: Scaling | None, note: str = "") -> Reading | None:
    """A reading with the numbers that its Rope really has; None where it is none of the table."""
    try:
        rope = Rope(2 * (table.turning + table.still), base, scaling)
    except ValueError:  # a number that the scaling refuses: no reading
        return None
    theirs = np.concatenate([table.values, np.zeros(table.still)])
    ours = rope.at().inverse_frequencies
    turning = slice(0, table.turning)
    if (ours[table.turning :] != 0).any():
        return None
    error = np.abs(ours[turning] / theirs[turning] - 1)
    theta = unscaled_inverse_frequencies(base, rope.rotary_dim)
    kept = None if scaling is None else scaling.precompute(theta)
    allowed = table.tolerance
    if kept is not None:
        inside = (kept > 0) & (kept < 1)
        allowed = allowed + np.where(inside, OF_A_WEIGHT * theta / theirs, 0.0)
    return Reading(method, rope, float(error.max()), float((error / allowed).max()), note)


def _some(*readings: Reading | None) -> Iterator[Reading]:
    yield from (reading for reading in readings if reading is not None)


def _of_level(fit: Fit, table: Table) -> Iterator[Reading]:
    level = fit.first
    if table.still:
        yield from _of_proportional(fit, table)
    elif level == 1.0:
        yield from _of_another_base(fit, table)
    elif level < 1:
        yield from _of_interpolation(fit, table)


def _of_another_base(fit: Fit, table: Table) -> Iterator[Reading]:
    fit = round_numbers(fit, table, lambda f: (f.base,), lambda base: replace(fit, base=base))
    if not determined(fit, table, (fit.base,)):
        return
    pairs = table.turning
    enlarged = [_enlarged(fit, table, base) for base in BASES[:5] if pairs > 1 and fit.base > base * (1 + 1e-9)]
    plain = compared("plain", table, fit.base, None)
    odd = fit.base ** ((2 * pairs - 1) / (2 * pairs))
    if digits(fit.base) > 3 and digits(float(f"{odd:.6g}")) <= 2 and abs(float(f"{odd:.6g}") / odd - 1) < 1e-6:
        plain = plain and replace(plain, note=f"base {odd:.6g} over {2 * pairs - 1} dimensions, an odd number")
    yield from _some(plain, *enlarged) if digits(fit.base) <= 3 else _some(*enlarged, plain)


def _enlarged(fit: Fit, table: Table, base: float) -> Reading | None:
    """NTK-aware scaling of a standard base, where its factor has few digits."""
    power = table.turning / (table.turning - 1)

    def factor_of(f: Fit) -> float:
        return float(f"{(f.base / base) ** (1 / power):.12g}")

    made = round_numbers(fit, table, lambda f: (factor_of(f),), lambda factor: replace(fit, base=base * factor**power))
    factor = factor_of(made)
    return compared("NTKAware", table, base, NTKAware(factor)) if digits(factor) <= 3 else None


def _of_interpolation(fit: Fit, table: Table) -> Iterator[Reading]:
    fit = round_numbers(fit, table, lambda f: (f.base, 1 / f.first), _level)
    base, factor = fit.base, float(f"{1 / fit.first:.12g}")
    if not determined(fit, table, (base, factor)):
        return
    pairs, note = table.turning, ""
    if digits(factor) > 3:
        wide = factor**pairs  # vLLM's "ntk" divides pair i by s^((2i + 2) / d)
        of_vllm, of_keras = float(f"{wide:.5g}"), float(f"{factor ** ((pairs - 1) / pairs):.5g}")
        if digits(of_vllm) <= 2 and abs(of_vllm / wide - 1) < 1e-4 and digits(float(f"{base / of_vllm:.5g}")) <= 2:
            note = f"vLLM's ntk of base {base / of_vllm:.5g} and factor {of_vllm:g} has these numbers"
        elif digits(of_keras) <= 2 and abs(of_keras ** (pairs / (pairs - 1)) / factor - 1) < 1e-5:
            note = f"KerasHub's dynamic of factor {of_keras:g} has these numbers"
    yield from _some(compared("PositionInterpolation", table, base, PositionInterpolation(factor), note))


def _level(base: float, factor: float) -> Fit:
    return Fit("level", base, 1 / factor, 1 / factor)


def _of_proportional(fit: Fit, table: Table) -> Iterator[Reading]:
    pairs = table.turning + table.still
    fit = round_numbers(fit, table, lambda f: (f.base, 1 / f.first), _level)
    factor = float(f"{1 / fit.first:.12g}")
    if factor >= 1 and determined(fit, table, (fit.base, factor)):
        scaling = Proportional(table.turning / pairs, factor)
        yield from _some(compared("Proportional", table, fit.base, scaling))


def _of_pairs(fit: Fit, table: Table) -> Iterator[Reading]:
    def made(base: float, factor: float) -> Fit:
        return replace(fit, base=base, last=1 / factor)

    if fit.first != 1.0 or not 0 < fit.last < 1:
        yield from _of_others(fit, table)
        return
    if fit.whole:
        fit = round_numbers(fit, table, lambda f: (f.base, 1 / f.last), made)
        factor = float(f"{1 / fit.last:.12g}")
        if determined(fit, table, (fit.base, factor)):
            for numbers in numbers_within(*whole_bounds(fit, table)):
                yield from _some(_by_parts(table, fit.base, factor, numbers, truncate=True))
        return
    for real, numbers in (*real_bounds(fit, table), *from_betas(fit, table, BETAS[:6])):
        real = _with_round_levels(real, table, numbers)
        factor = float(f"{1 / real.last:.12g}")
        if determined(real, table, (real.base, factor, *numbers)):
            yield from _some(_by_parts(table, real.base, factor, numbers, truncate=False))


def _by_parts(table: Table, base: float, factor: float, numbers: RampNumbers, **ramp: Any) -> Reading | None:
    length, fast, slow = numbers
    scaling = NTKByParts(factor, length, beta_fast=fast, beta_slow=slow, **ramp)
    return compared("NTKByParts", table, base, scaling)


def _of_others(fit: Fit, table: Table) -> Iterator[Reading]:
    """Ramps that yarncore has not: litgpt's, which keeps the slow pairs, and a weight on the kept part."""
    error = float(fit.errors(table).max())
    if fit.first < 1 and abs(fit.last - 1) <= 10 * table.tolerance[-1] and fit.high < table.turning:
        factor = 1 / fit.first
        words = (
            f"reversed ramp (litgpt): base {fit.base:.7g}, factor {factor:.7g}; pairs up to {fit.low:g} are divided by it, those "
            f"from {fit.high:g} on are kept"
        )
        if determined(fit, table, (fit.base, factor)):
            yield Reading(words, None, error, fit.miss(table))
    elif fit.first == 1.0 and fit.last > 1:
        words = (
            f"YaRN with factor {1 / fit.last:.6g}, below 1: base {fit.base:.7g}, ramp from pair {fit.low:g} to {fit.high:g}, slow "
            "pairs sped up"
        )
        if determined(fit, table, (fit.base, fit.last)):
            yield Reading(words, None, error, fit.miss(table))
    elif 0 < fit.last < fit.first < 1 and fit.high < table.turning - 1:
        weight = (fit.first - fit.last) / (1 - fit.last)
        words = (
            f"YaRN with extrapolation factor {weight:.6g} (ggml's ext_factor): base {fit.base:.7g}, factor {1 / fit.last:.7g}, "
            f"ramp from pair {fit.low:g} to {fit.high:g}"
        )
        if determined(fit, table, (fit.base, 1 / fit.last, weight)):
            yield Reading(words, None, error, fit.miss(table))


def _of_turns(fit: Fit, table: Table) -> Iterator[Reading]:
    fast_slow = tuple((high, low) for low, high in LLAMA3_FACTORS if high > low)
    for made, numbers in (*from_betas(fit, table, fast_slow), *real_bounds(fit, table)):
        made = _with_round_levels(made, table, numbers)
        base, factor, (length, fast, slow) = made.base, float(f"{1 / made.last:.12g}"), numbers
        if not determined(made, table, (base, factor, *numbers)):
            continue
        llama3 = Llama3(factor, length, low_freq_factor=slow, high_freq_factor=fast)
        by_parts = NTKByParts(factor, length, beta_fast=fast, beta_slow=slow, ramp="rotations")
        yield from _some(compared("Llama3", table, base, llama3), compared("NTKByParts", table, base, by_parts))


def _with_round_levels(fit: Fit, table: Table, numbers: RampNumbers) -> Fit:
    """Base and factor of few digits, the ramp staying with its lengths and betas."""
    return round_numbers(
        fit, table, lambda f: (f.base, 1 / f.last),
        lambda base, factor: placed(replace(fit, base=base, last=1 / factor), table, numbers),
    )  # fmt: skip
