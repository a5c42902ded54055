"""What a table is called: Ropes that have its numbers, those with standard values first."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from yarncore.identification.fit import Table, of_a_weight
from yarncore.identification.standard import BETAS, WRITTEN, digits
from yarncore.rope.rope import Rope
from yarncore.scaling import Llama3, NTKByParts
from yarncore.scaling.scaling import Scaling
from yarncore.scaling.unscaled import unscaled_inverse_frequencies

_MOST = 24
_TRIED = 60  # Ropes that are made of one family
_FAR = 8  # digits and more beyond the first: nobody writes such numbers where there are shorter ones
_FAR_OF_OPEN = 2.5  # the same where there are as many as one likes


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


@dataclass(frozen=True, slots=True)
class Candidate:
    """Parameters that should have the table's numbers.

    Attributes
    ----------
    method : str
    base : float
    scaling : Scaling or None
    note : str
    open : bool
        No pair of the table is divided by the whole factor: it could be any other with another ramp.
    """

    method: str
    base: float
    scaling: Scaling | None
    note: str = ""
    open: bool = False

    @property
    def is_plausible(self) -> bool:
        """Whether its numbers are of a size that somebody may have written."""
        named = {"base": self.base} | {name: getattr(self.scaling, name, None) for name in WRITTEN if name != "base"}
        return all(value is None or WRITTEN[name][0] <= value <= WRITTEN[name][1] for name, value in named.items())

    @property
    def roughness(self) -> tuple[float, float, int]:
        """How far from what configurations of published models have."""
        scaling = self.scaling
        length = getattr(scaling, "original_length", 1)
        numbers = sum(map(digits, (self.base, getattr(scaling, "factor", 1.0), length)))
        unusual = 0.0
        if isinstance(scaling, NTKByParts):
            betas = scaling.beta_fast, scaling.beta_slow
            numbers += sum(map(digits, betas)) - 2
            unusual += 0 if betas == (32.0, 1.0) else 1 if betas in BETAS else 3
            unusual += 0 if betas[0] == 32 else 0.1  # a threshold that was tuned is the slow one
            unusual += (0 if scaling.truncate else 0.5) + (1.75 if scaling.ramp == "rotations" else 0)
        elif isinstance(scaling, Llama3):
            factors = scaling.low_freq_factor, scaling.high_freq_factor
            numbers += sum(map(digits, factors)) - 2
            unusual += 0 if factors == (1.0, 4.0) else 1.5
        unusual += 0 if length & (length - 1) == 0 else 0.25
        return (numbers + unusual, unusual, length)


def checked(candidates: Iterable[Candidate | Reading], table: Table) -> Iterator[Reading]:
    """Those whose Rope makes the table, standard values first; what is no Rope stands as it was fitted."""
    made = [each for each in candidates if isinstance(each, Reading)]
    unique = {
        (each.base, each.scaling): each for each in candidates if isinstance(each, Candidate) and each.is_plausible
    }
    first, found = math.inf, 0
    for each in sorted(unique.values(), key=lambda each: each.roughness)[:_TRIED]:
        if each.roughness[0] > first + (_FAR_OF_OPEN if each.open else _FAR):
            continue
        reading = compared(each.method, table, each.base, each.scaling, each.note)
        if reading is not None and reading.miss <= 1:
            first, found = min(first, each.roughness[0]), found + 1
            yield reading
        if found == _MOST:
            return
    yield from (each for each in made if each.miss <= 1)


def in_order(readings: Iterable[Reading]) -> list[Reading]:
    """Of several kinds, those with standard values first, each once."""

    def roughness(reading: Reading) -> tuple[float, ...]:
        rope = reading.rope
        return (100.0,) if rope is None else Candidate(reading.method, rope.base, rope.scaling).roughness

    unique = {reading.rope or reading.method: reading for reading in readings}
    return sorted(unique.values(), key=roughness)


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
        allowed = allowed + of_a_weight(kept, theta / theirs)
    return Reading(method, rope, float(error.max()), float((error / allowed).max()), note)
