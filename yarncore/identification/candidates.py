"""What a fit may be called: the parameters of each family that have its numbers."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from yarncore.identification.bounds import RampNumbers, from_betas, numbers_within, placed, real_bounds, whole_bounds
from yarncore.identification.fit import Fit, Table, determined, ramp_determined, round_numbers
from yarncore.identification.open_ends import open_ends
from yarncore.identification.readings import Candidate, Reading
from yarncore.identification.standard import BASES, BETAS, LLAMA3_FACTORS, OPEN_FACTORS, digits
from yarncore.scaling import Llama3, NTKAware, NTKByParts, PositionInterpolation, Proportional

_MOST_SPED_UP = 20.0
Candidates = Iterator[Candidate | Reading]


def of_fit(fit: Fit, table: Table) -> Candidates:
    """All that a fit may be."""
    if fit.kind == "level":
        yield from _of_level(fit, table)
    elif table.still == 0:
        yield from _of_pairs(fit, table) if fit.kind == "pairs" else _of_turns(fit, table)


def _of_level(fit: Fit, table: Table) -> Candidates:
    level = fit.first
    if table.still:
        yield from _of_proportional(fit, table)
    elif level == 1.0:
        yield from _of_another_base(fit, table)
    elif level < 1:
        yield from _of_interpolation(fit, table)


def _of_another_base(fit: Fit, table: Table) -> Candidates:
    fit = round_numbers(fit, table, lambda f: (f.base,), lambda base: replace(fit, base=base))
    if not determined(table, (fit.base,)):
        return
    pairs = table.turning
    note = ""
    odd = fit.base ** ((2 * pairs - 1) / (2 * pairs))
    if digits(fit.base) > 3 and digits(float(f"{odd:.6g}")) <= 2 and abs(float(f"{odd:.6g}") / odd - 1) < 1e-6:
        note = f"base {odd:.6g} over {2 * pairs - 1} dimensions, an odd number"
    yield Candidate("plain", fit.base, None, note)
    for base in BASES[:5]:
        if pairs > 1 and fit.base > base * (1 + 1e-9):
            yield from _enlarged(fit, table, base)


def _enlarged(fit: Fit, table: Table, base: float) -> Candidates:
    """NTK-aware scaling of a standard base, where its factor has few digits."""
    power = table.turning / (table.turning - 1)

    def factor_of(f: Fit) -> float:
        return float(f"{(f.base / base) ** (1 / power):.12g}")

    made = round_numbers(fit, table, lambda f: (factor_of(f),), lambda factor: replace(fit, base=base * factor**power))
    factor = factor_of(made)
    if digits(factor) <= 3:
        yield Candidate("NTKAware", base, NTKAware(factor))


def _of_interpolation(fit: Fit, table: Table) -> Candidates:
    fit = round_numbers(fit, table, lambda f: (f.base, 1 / f.first), _level)
    base, factor = fit.base, float(f"{1 / fit.first:.12g}")
    if not determined(table, (base, factor)):
        return
    pairs, note = table.turning, ""
    if digits(factor) > 3 and factor < 2:
        wide = factor**pairs  # vLLM's "ntk" divides pair i by s^((2i + 2) / d)
        of_vllm, of_keras = float(f"{wide:.5g}"), float(f"{factor ** ((pairs - 1) / pairs):.5g}")
        if digits(of_vllm) <= 2 and abs(of_vllm / wide - 1) < 1e-4 and digits(float(f"{base / of_vllm:.5g}")) <= 2:
            note = f"vLLM's ntk of base {base / of_vllm:.5g} and factor {of_vllm:g} has these numbers"
        elif digits(of_keras) <= 2 and abs(of_keras ** (pairs / (pairs - 1)) / factor - 1) < 1e-5:
            note = f"KerasHub's dynamic of factor {of_keras:g} has these numbers"
    if abs(factor / (2 * math.pi) - 1) < 1e-5:
        note = "divided by 2 pi: numbers of turns a token, where radians are expected"
    yield Candidate("PositionInterpolation", base, PositionInterpolation(factor), note)


def _level(base: float, factor: float) -> Fit:
    return Fit("level", base, 1 / factor, 1 / factor)


def _of_proportional(fit: Fit, table: Table) -> Candidates:
    pairs = table.turning + table.still
    fit = round_numbers(fit, table, lambda f: (f.base, 1 / f.first), _level)
    factor = float(f"{1 / fit.first:.12g}")
    if factor >= 1 and determined(table, (fit.base, factor)):
        yield Candidate("Proportional", fit.base, Proportional(table.turning / pairs, factor))


def _of_pairs(fit: Fit, table: Table) -> Candidates:
    def made(base: float, factor: float) -> Fit:
        return replace(fit, base=base, last=1 / factor)

    if fit.first != 1.0 or not 0 < fit.last < 1:
        yield from _of_others(fit, table)
        return
    if fit.whole:
        fit = round_numbers(fit, table, lambda f: (f.base, 1 / f.last), made)
        factor, open_end = float(f"{1 / fit.last:.12g}"), fit.weight(table)[-1] < 1
        if ramp_determined(fit, table, fit.base, factor):
            for numbers in numbers_within(*whole_bounds(fit, table)):
                yield _by_parts(fit.base, factor, numbers, open_end)
        return
    for real, numbers in (
        *real_bounds(fit, table), *from_betas(fit, table, BETAS[:6]), *open_ends(fit, table, BETAS, OPEN_FACTORS)
    ):  # fmt: skip
        real = _with_round_levels(real, table, numbers)
        factor, open_end = float(f"{1 / real.last:.12g}"), real.weight(table)[-1] < 1
        if ramp_determined(real, table, real.base, factor, numbers):
            yield _by_parts(real.base, factor, numbers, open_end, truncate=False)


def _by_parts(base: float, factor: float, numbers: RampNumbers, open_end: bool, **ramp: Any) -> Candidate:
    length, fast, slow = numbers
    return Candidate(
        "NTKByParts", base, NTKByParts(factor, length, beta_fast=fast, beta_slow=slow, **ramp), open=open_end
    )


def _of_others(fit: Fit, table: Table) -> Candidates:
    """Ramps that yarncore has not: litgpt's, which keeps the slow pairs, and a weight on the kept part."""
    error, bounds = float(fit.errors(table).max()), () if fit.whole else (fit.low, fit.high)
    if fit.first < 1 and abs(fit.last - 1) <= 10 * table.tolerance[-1] and fit.high < table.turning:
        factor = 1 / fit.first
        words = (
            f"reversed ramp (litgpt): base {fit.base:.7g}, factor {factor:.7g}; pairs up to {fit.low:g} are divided by it, those "
            f"from {fit.high:g} on are kept"
        )
        if ramp_determined(fit, table, fit.base, factor, bounds):
            yield Reading(words, None, error, fit.miss(table))
    elif fit.first == 1.0 and 1 < fit.last <= _MOST_SPED_UP:
        words = (
            f"YaRN with factor {1 / fit.last:.6g}, below 1: base {fit.base:.7g}, ramp from pair {fit.low:g} to {fit.high:g}, slow "
            "pairs sped up"
        )
        if ramp_determined(fit, table, fit.base, fit.last, bounds):
            yield Reading(words, None, error, fit.miss(table))
    elif 0 < fit.last < fit.first < 1 and fit.high < table.turning - 1:
        weight = float(f"{(fit.first - fit.last) / (1 - fit.last):.6g}")
        if digits(weight) > 2:  # any scaled ramp has some
            return
        words = (
            f"YaRN with extrapolation factor {weight:.6g} (ggml's ext_factor): base {fit.base:.7g}, factor {1 / fit.last:.7g}, "
            f"ramp from pair {fit.low:g} to {fit.high:g}"
        )
        if ramp_determined(fit, table, fit.base, 1 / fit.last, (weight, *bounds)):
            yield Reading(words, None, error, fit.miss(table))


def _of_turns(fit: Fit, table: Table) -> Candidates:
    fast_slow = tuple((high, low) for low, high in LLAMA3_FACTORS if high > low)
    for made, numbers in (
        *from_betas(fit, table, fast_slow), *real_bounds(fit, table), *open_ends(fit, table, fast_slow, OPEN_FACTORS)
    ):  # fmt: skip
        made = _with_round_levels(made, table, numbers)
        base, factor, (length, fast, slow) = made.base, float(f"{1 / made.last:.12g}"), numbers
        if not ramp_determined(made, table, base, factor, numbers):
            continue
        open_end = made.weight(table)[-1] < 1
        yield Candidate(
            "Llama3", base, Llama3(factor, length, low_freq_factor=slow, high_freq_factor=fast), open=open_end
        )
        yield _by_parts(base, factor, numbers, open_end, ramp="rotations")


def _with_round_levels(fit: Fit, table: Table, numbers: RampNumbers) -> Fit:
    """Base and factor of few digits, the ramp staying with its lengths and betas."""
    return round_numbers(
        fit, table, lambda f: (f.base, 1 / f.last),
        lambda base, factor: placed(replace(fit, base=base, last=1 / factor), table, numbers),
    )  # fmt: skip
