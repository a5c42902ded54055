"""From where a ramp lies to the lengths and betas that put it there: mostly more than one of each."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from yarncore.identification.fit import Fit, Table
from yarncore.identification.standard import BETAS, digits, rounded, simplest, whole_numbers
from yarncore.rope.rope import Rope
from yarncore.scaling import Llama3, NTKByParts
from yarncore.scaling.unscaled import unscaled_inverse_frequencies

_LENGTHS = (4096, 8192, 32768, 2048, 16384, 131072)


class Between(NamedTuple):
    """The values of L / beta that put one bound where it is: least is in, unless the bound is the ramp's end."""

    least: float
    most: float

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.least:.6g}"
        return f"{self.least:.6g} to {self.most:.6g}" if math.isfinite(self.most) else f"{self.least:.6g} and more"


class RampNumbers(NamedTuple):
    """What a ramp is made of."""

    original_length: int
    fast: float
    slow: float


def turns_ratio(fit: Fit, table: Table, pair: float) -> float:
    """L / beta where a pair, counted in fractions, turns beta times within L."""
    return 2 * math.pi * math.exp(min(math.log(fit.base) * pair / (table.turning + table.still), 700.0))


def whole_bounds(fit: Fit, table: Table) -> tuple[Between, Between]:
    """L / beta_fast and L / beta_slow of a ramp whose bounds were rounded outwards to whole pairs."""
    last = 2 * table.turning - 1
    fast = Between(0.0 if fit.low <= 0 else turns_ratio(fit, table, fit.low), turns_ratio(fit, table, fit.low + 1))
    slow = Between(
        turns_ratio(fit, table, fit.high - 1), math.inf if fit.high >= last else turns_ratio(fit, table, fit.high)
    )
    return fast, Between(0.0, slow.most) if fit.high <= 0 else slow


_OPEN_END = (
    "no pair is divided by the whole factor: the table does not determine it, nor where the ramp ends; a larger factor and a wider "
    "ramp have the same numbers, and what is named has few digits"
)


def all_that_is_determined(rope: Rope, table: Table) -> list[str]:
    """In words: which other factors, lengths and betas make the ramp of a Rope."""
    scaling, base = rope.scaling, rope.base
    if not isinstance(scaling, (Llama3, NTKByParts)):
        return []
    kept = scaling.precompute(unscaled_inverse_frequencies(base, rope.rotary_dim))
    open_end = [_OPEN_END] if kept[-1] > 0 else []
    if isinstance(scaling, Llama3):
        at_high, at_low = (
            scaling.original_length / each for each in (scaling.high_freq_factor, scaling.low_freq_factor)
        )
        return [f"its ramp is that of L / high {at_high:.6g} and L / low {at_low:.6g}, whatever L", *open_end]
    numbers = RampNumbers(scaling.original_length, scaling.beta_fast, scaling.beta_slow)
    at_fast, at_slow = numbers.original_length / numbers.fast, numbers.original_length / numbers.slow
    if not scaling.truncate or scaling.ramp != "dimension":
        return [
            f"its ramp is that of L / beta_fast {at_fast:.6g} and L / beta_slow {at_slow:.6g}, whatever L",
            *open_end,
        ]
    real = placed(Fit("pairs", base, 1.0, 1 / scaling.factor), table, numbers)
    fast, slow = whole_bounds(replace(real, low=math.floor(real.low), high=math.ceil(real.high)), table)
    return [
        f"its ramp, rounded to whole pairs, is that of all L / beta_fast {fast} and L / beta_slow {slow}",
        *open_end,
    ]


def numbers_within(fast: Between, slow: Between) -> Iterator[RampNumbers]:
    """Lengths and betas within both, standard ones first."""
    found = 0
    for beta_fast, beta_slow in BETAS:
        low, high = (
            max(beta_fast * fast.least, beta_slow * slow.least),
            min(beta_fast * fast.most, beta_slow * slow.most),
        )
        for length in whole_numbers(low * (1 + 1e-12), min(high * (1 - 1e-12), 2.0**52)) if low < high else []:
            found += 1
            yield RampNumbers(length, beta_fast, beta_slow)
    for length in _LENGTHS if found < 3 else ():
        beta_fast = simplest(length / fast.most, length / fast.least if fast.least else math.inf)
        beta_slow = simplest(
            length / slow.most if math.isfinite(slow.most) else 0.0, length / slow.least if slow.least else math.inf
        )
        if beta_fast >= beta_slow > 0:
            yield RampNumbers(length, beta_fast, beta_slow)


def real_bounds(fit: Fit, table: Table) -> Iterator[tuple[Fit, RampNumbers]]:
    """Lengths and betas of a ramp whose bounds were not rounded."""
    if fit.miss(table) > 1:
        return
    if fit.kind == "turns":
        fast, slow = (2 * math.pi / max(theta, 1e-300) for theta in (fit.low, fit.high))
    else:
        fast, slow = turns_ratio(fit, table, fit.low), turns_ratio(fit, table, fit.high)
    found = 0
    for beta_fast, beta_slow in BETAS:
        if beta_fast > beta_slow and abs(beta_fast * fast / (beta_slow * slow) - 1) < 0.02:
            for numbers in rounded_lengths(math.sqrt(beta_fast * fast * beta_slow * slow), beta_fast, beta_slow):
                made = placed(fit, table, numbers)
                if made.is_as_near(table, fit):
                    found += 1
                    yield made, numbers
                    break
    for length in _LENGTHS[:3] if not found else ():
        yield from _betas_of(fit, table, length, fast, slow)


def rounded_lengths(length: float, beta_fast: float, beta_slow: float) -> Iterator[RampNumbers]:
    whole = dict.fromkeys(round(value) for value in rounded(length, 8))
    for value in sorted({*whole, *_near(length)}, key=digits):
        if value >= 1:
            yield RampNumbers(value, beta_fast, beta_slow)


def _near(length: float) -> list[int]:
    """The multiple of a large power of two that is near."""
    return [round(length / 2**n) * 2**n for n in range(6, 16) if round(length / 2**n)]


def _betas_of(fit: Fit, table: Table, length: int, fast: float, slow: float) -> Iterator[tuple[Fit, RampNumbers]]:
    choices = [(f, s) for f in rounded(length / fast, 9) for s in rounded(length / slow, 9) if f > s]
    for beta_fast, beta_slow in sorted(choices, key=lambda pair: digits(pair[0]) + digits(pair[1])):
        numbers = RampNumbers(length, beta_fast, beta_slow)
        made = placed(fit, table, numbers)
        if made.is_as_near(table, fit):
            yield made, numbers
            return


def placed(fit: Fit, table: Table, numbers: RampNumbers) -> Fit:
    """The fit with its ramp where these numbers put it."""
    length, beta_fast, beta_slow = numbers
    if fit.kind == "turns":
        return replace(fit, low=2 * math.pi * beta_fast / length, high=2 * math.pi * beta_slow / length)
    pairs, last = table.turning + table.still, 2 * table.turning - 1
    low, high = (
        pairs * math.log(length / (2 * math.pi * beta)) / math.log(fit.base) for beta in (beta_fast, beta_slow)
    )
    return replace(fit, low=min(max(low, 0.0), last), high=min(max(high, 0.0), last))


def from_betas(fit: Fit, table: Table, betas: tuple[tuple[float, float], ...]) -> Iterator[tuple[Fit, RampNumbers]]:
    """Where one pair or more lies within a ramp: the length that known betas and its weight give."""
    if fit.first == fit.last:
        return
    theta = fit.base**-table.exponents
    multipliers = table.values / theta
    weight = (fit.first - multipliers) / (fit.first - fit.last)
    inside = np.flatnonzero((weight > 1e-4) & (weight < 1 - 1e-4))
    if not inside.size:
        return
    at = int(inside[len(inside) // 2])
    for beta_fast, beta_slow in betas:
        if fit.kind == "turns":
            length = 2 * math.pi * (beta_slow + (1 - weight[at]) * (beta_fast - beta_slow)) / theta[at]
        else:
            width = math.log(beta_fast / beta_slow) * table.turning / math.log(fit.base)
            length = beta_fast * turns_ratio(fit, table, at - weight[at] * width)
        for numbers in rounded_lengths(float(length), beta_fast, beta_slow):
            made = placed(fit, table, numbers)
            if made.miss(table) <= 1:
                yield made, numbers
                break
