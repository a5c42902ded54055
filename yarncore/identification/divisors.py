"""LongRoPE: any table is one, of some divisors; named only where these are numbers that somebody wrote."""

import math
from collections.abc import Iterator

import numpy as np

from yarncore.identification.fit import Floats, Table
from yarncore.identification.readings import Reading
from yarncore.identification.standard import BASES

_DECIMALS = (1, 2, 3, 4)
_NOISE = 4e-7  # of a float32 table: what a divisor and a frequency were rounded by
_CHANCE = 1e-12  # that numbers of any other origin look as if they had so few decimals


def of_few_decimals(table: Table) -> Iterator[Reading]:
    """Readings as LongRoPE, where a standard base leaves divisors of few decimals, as Phi-3's are."""
    if table.still:
        return
    for base in BASES:
        divisors = divisors_of(table, base)
        if not (
            divisors.min() > 0.05 and divisors[0] <= divisors[-1] and divisors.max() < 1e4
        ):  # slow pairs are divided by more
            continue
        for decimals in _DECIMALS:
            steps = divisors * 10**decimals
            allowed = (table.tolerance if decimals < 3 else np.minimum(table.tolerance, _NOISE)) * steps
            if (np.abs(steps - np.round(steps)) <= allowed).all() and _chance(np.round(steps), allowed) < _CHANCE:
                yield reading(table, base, np.round(divisors, decimals), "all divisors have few decimals")
                return


def _chance(steps: Floats, allowed: Floats) -> float:
    """That this many different numbers fall so near to whole ones: equal ones tell of one number, as other methods have it."""
    _, first = np.unique(steps, return_index=True)
    return math.exp(float(np.log(np.minimum(2 * allowed[first], 1.0)).sum()))


def divisors_of(table: Table, base: float) -> Floats:
    """What each unscaled frequency of a base was divided by."""
    with np.errstate(over="ignore"):  # of frequencies near 0: no divisors that anybody wrote
        return np.asarray(base**-table.exponents / table.values)


def reading(table: Table, base: float, divisors: Floats, note: str) -> Reading:
    """LongRoPE with these divisors; which list of a model it is, and for which lengths, the table does not tell."""
    error = np.abs(base**-table.exponents / divisors / table.values - 1)
    numbers = ", ".join(f"{value:.6g}" for value in divisors)
    return Reading(
        f"LongRoPE of base {base:.7g}, divisors [{numbers}]",
        None,
        float(error.max()),
        float((error / table.tolerance).max()),
        note,
    )
