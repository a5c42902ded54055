"""Frequencies that were rounded to 16 bits: these tell no number with many digits, so that those that people write are tried."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from yarncore.engines.tables import round_to
from yarncore.identification.fit import Floats, straight_line
from yarncore.identification.readings import Candidate, Reading
from yarncore.identification.standard import BASES, BETAS, LENGTHS, LLAMA3_FACTORS, OPEN_FACTORS, rounded
from yarncore.identification.stored import HALF_STEPS, SMALLEST_OF_FLOAT16
from yarncore.rope.rope import Rope
from yarncore.scaling import Llama3, NTKAware, NTKByParts, PositionInterpolation

_MOST = 12
_FEWEST = 8  # pairs: fewer are of everything
_LARGEST = 1e3  # factor
_ALIKE = 0.9  # of the pairs: a float32 in between may tip one over


def written(theta: Floats, stored: str) -> tuple[Reading, ...]:
    """Readings with standard values whose frequencies, rounded, are these; those with the fewest digits first.

    Parameters
    ----------
    theta : float64 array, shape (pairs,)
        Finite, >= 0; 0 what was too small for the type.
    """
    if len(theta) < _FEWEST:
        return ()
    candidates = {(each.base, each.scaling): each for each in _candidates(theta, stored)}
    readings = []
    for each in sorted(candidates.values(), key=lambda each: each.roughness):
        reading = _made(each, theta, stored)
        readings += [] if reading is None else [reading]
        if len(readings) == _MOST:
            break
    return tuple(readings)


def _made(candidate: Candidate, theta: Floats, stored: str) -> Reading | None:
    rope = Rope(2 * len(theta), candidate.base, candidate.scaling)
    ours = rope.at().inverse_frequencies
    if (round_to(stored, ours) == theta).mean() < _ALIKE:
        return None
    turning = theta > 0
    error = float(np.abs(ours[turning] / theta[turning] - 1).max())
    return Reading(candidate.method, rope, error, 1.0, candidate.note)


def _candidates(theta: Floats, stored: str) -> Iterator[Candidate]:
    allowed = 1.05 * np.maximum(HALF_STEPS[stored] * theta, SMALLEST_OF_FLOAT16 if stored == "float16" else 0.0)
    exponents = np.arange(len(theta)) / len(theta)

    def fits(frequencies: Any) -> Any:
        return (np.abs(frequencies - theta) <= allowed).all(axis=-1)

    for base in _bases(theta, exponents):
        unscaled = base**-exponents
        if fits(unscaled):
            yield Candidate("plain", base, None)
            continue  # and any ramp beyond the table
        for factor in _factors(unscaled[0], theta[0]):
            if fits(unscaled / factor):
                yield Candidate("PositionInterpolation", base, PositionInterpolation(factor))
        # The first pairs are kept by every ramp, the last ones divided by no more than the largest factor.
        if (np.abs(unscaled - theta) <= allowed)[:2].all() and (unscaled / _LARGEST <= theta + allowed).all():
            yield from _ramps(base, unscaled, theta, fits)
    if len(theta) > 1 and theta.all():
        power, slope = len(theta) / (len(theta) - 1), -straight_line(exponents, np.log(theta))[0]
        for base in BASES[:5]:
            for factor in itertools.islice(rounded(float((np.exp(min(slope, 34)) / base) ** (1 / power))), 4):
                if factor > 1 and fits((base * factor**power) ** -exponents):
                    yield Candidate("NTKAware", base, NTKAware(factor))


def _bases(theta: Floats, exponents: Floats) -> list[float]:
    """Standard ones, and those of few digits near that of the first pairs, which most scalings keep."""
    near: list[float] = []
    for part in (slice(0, max(2, len(theta) // 8)), slice(0, len(theta) // 2)):
        if len(theta[part]) > 1 and theta[part].all():
            slope = -straight_line(exponents[part], np.log(theta[part]))[0]
            near += itertools.islice(rounded(float(np.exp(np.clip(slope, 0.7, 34)))), 3)
    return list(dict.fromkeys([*BASES, *(base for base in near if base > 1)]))


def _factors(unscaled: float, scaled: float) -> list[float]:
    """Those of up to three digits near a quotient."""
    if not 0 < scaled < unscaled:
        return []
    return [factor for factor in itertools.islice(rounded(unscaled / scaled), 4) if factor > 1]


def _ramps(base: float, unscaled: Floats, theta: Floats, fits: Any) -> Iterator[Candidate]:
    """All lengths and betas at once, of the factor that the last pair has; or of each, where no pair need have it."""
    pairs, turns = np.arange(len(theta)), unscaled / (2 * np.pi)
    last = int(np.flatnonzero(theta)[-1])
    for factor in dict.fromkeys([*_factors(unscaled[last], theta[last]), *OPEN_FACTORS]):
        for beta_fast, beta_slow in BETAS:
            low, high = (
                len(theta) * np.log(np.array(LENGTHS) / (2 * np.pi * beta)) / np.log(base)
                for beta in (beta_fast, beta_slow)
            )
            for truncate in (True, False):
                from_, to = (np.floor(low), np.ceil(high)) if truncate else (low, high)
                from_, to = (np.clip(bound, 0, 2 * len(theta) - 1)[:, None] for bound in (from_, to))
                weight = np.clip((pairs - from_) / np.where(to == from_, 0.001, to - from_), 0, 1)
                for at in np.flatnonzero(fits(unscaled * (1 - weight * (1 - 1 / factor)))):
                    yield _by_parts(base, factor, LENGTHS[at], beta_fast, beta_slow, truncate=truncate)
        for slow, fast in LLAMA3_FACTORS:
            kept = np.clip((np.array(LENGTHS)[:, None] * turns - slow) / (fast - slow or 1e-9), 0, 1)
            for at in np.flatnonzero(fits(unscaled * (kept + (1 - kept) / factor))):
                length = LENGTHS[at]
                yield Candidate("Llama3", base, Llama3(factor, length, low_freq_factor=slow, high_freq_factor=fast))
                yield _by_parts(base, factor, length, fast, slow, ramp="rotations")


def _by_parts(base: float, factor: float, length: int, beta_fast: float, beta_slow: float, **ramp: Any) -> Candidate:
    return Candidate("NTKByParts", base, NTKByParts(factor, length, beta_fast=beta_fast, beta_slow=beta_slow, **ramp))
