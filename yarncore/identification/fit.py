"""A table of inverse frequencies, and a shape that is laid over it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from yarncore.identification.standard import digits, rounded

Floats = npt.NDArray[np.float64]
Kind = Literal["level", "pairs", "turns"]

TOLERANCE = 1e-6
# A ramp weight that an engine rounds to float32 changes a frequency by this much of the unscaled one; where that is a large part
# of the scaled one, a table that only comes near would pass for it.
_OF_A_WEIGHT = 2.0**-23
_MOST_OF_A_WEIGHT = 1e-5


@dataclass(frozen=True, slots=True)
class Table:
    """Inverse frequencies as they were measured.

    Attributes
    ----------
    values : float64 array, shape (pairs,)
        Radians per token; those that turn. > 0.
    tolerance : float64 array, shape (pairs,)
        Of each, relative.
    still : int
        How many pairs behind them have frequency 0.
    """

    values: Floats
    tolerance: Floats
    still: int = 0

    @property
    def turning(self) -> int:
        """Pairs that turn."""
        return len(self.values)

    @property
    def exponents(self) -> Floats:
        """2i / d of each pair that turns; d counts the whole head."""
        return np.arange(self.turning) / (self.turning + self.still)


@dataclass(frozen=True, slots=True)
class Fit:
    """Frequencies theta_i times a multiplier that goes from one level to another.

    Attributes
    ----------
    kind : "level", "pairs" or "turns"
        The multiplier is `first` throughout; or goes to `last` linearly in the pair's index, from `low` to `high`; or linearly in
        the pair's frequency theta, of which `low` and `high` are then (low > high).
    base : float
    first, last : float
    low, high : float
    whole : bool
        low and high are whole numbers of pairs.
    """

    kind: Kind
    base: float
    first: float = 1.0
    last: float = 1.0
    low: float = 0.0
    high: float = 0.0
    whole: bool = False

    def weight(self, table: Table) -> Floats:
        """How far each pair is on its way from `first` to `last`."""
        if self.kind == "level":
            return np.zeros(table.turning)
        at = np.arange(table.turning, dtype=np.float64) if self.kind == "pairs" else self.base**-table.exponents
        width = self.high - self.low or (0.001 if self.kind == "pairs" else -1e-300)
        with np.errstate(over="ignore"):
            return np.clip((at - self.low) / width, 0.0, 1.0)

    def frequencies(self, table: Table) -> Floats:
        """The table as it should be."""
        multiplier = self.first + (self.last - self.first) * self.weight(table)
        return np.asarray(self.base**-table.exponents * multiplier)

    def errors(self, table: Table) -> Floats:
        """Relative differences from the table."""
        return np.asarray(np.abs(self.frequencies(table) / table.values - 1))

    def miss(self, table: Table) -> float:
        """The largest difference, in tolerances: at most 1 where the table is reproduced."""
        with np.errstate(over="ignore"):
            allowed = table.tolerance + of_a_weight(self.weight(table), self.base**-table.exponents / table.values)
        worst = np.max(self.errors(table) / allowed)
        return float(worst) if math.isfinite(worst) else math.inf

    def is_as_near(self, table: Table, other: "Fit") -> bool:
        """Whether it makes the table, and as well as another one: what float32 weights excuse is no room for shorter numbers."""
        own, theirs = (float(np.max(fit.errors(table) / table.tolerance)) for fit in (self, other))
        return self.miss(table) <= 1 and own <= max(1.0, 1.5 * theirs)


def round_numbers(fit: Fit, table: Table, read: Callable[[Fit], Sequence[float]], made: Callable[..., Fit]) -> Fit:
    """The fit with its numbers replaced by those of the fewest digits that reproduce the table as well.

    `read` gives its numbers, and `made` a fit of such numbers.
    """
    estimates = tuple(read(fit))
    best, best_digits = fit, sum(map(digits, estimates))
    miss = fit.miss(table)
    if miss > 1:
        return fit
    # A short number is no reason to lie further from a float32 table; of a coarser one nothing better is known.
    enough = min(1.0, max(0.5, 1.5 * miss)) if table.tolerance.max() < 1e-4 else 1.0
    choices = [sorted(set(rounded(value)), key=digits) for value in estimates]
    for numbers in _combinations(choices):
        count = sum(map(digits, numbers))
        if count >= best_digits:
            continue
        candidate = made(*numbers)
        if candidate.miss(table) <= enough and candidate.is_as_near(table, fit):
            best, best_digits = candidate, count
    return best


def _combinations(choices: Sequence[Sequence[float]]) -> Iterable[tuple[float, ...]]:
    """One of each; those with few digits first."""
    if not choices:
        return [()]
    rest = list(_combinations(choices[1:]))
    return [(value, *others) for value in choices[0] for others in rest]


def of_a_weight(weight: Floats, ratio: Floats) -> Floats:
    """What float32 weights change frequencies by, relative; `ratio` is unscaled over scaled frequencies."""
    inside = (weight > 0) & (weight < 1)
    return np.where(inside, np.minimum(_OF_A_WEIGHT * ratio, _MOST_OF_A_WEIGHT), 0.0)


def determined(table: Table, numbers: Sequence[float]) -> bool:
    """Whether the table says more than the numbers that were chosen to fit it."""
    return table.turning - _chosen(numbers) >= 2


def ramp_determined(fit: Fit, table: Table, base: float, factor: float, bounds: Sequence[float] = ()) -> bool:
    """The same of a ramp: its numbers must be told by the pairs that they act on, not by the rest of the table.

    Else any table of which one pair was changed would be a ramp with a factor of its own.

    Parameters
    ----------
    bounds : sequence of float
        What places the ramp; none for whole pairs.
    """
    weight = fit.weight(table)
    # A ramp that falls from another level than 1 acts on the pairs before it.
    acted_on = weight > 0 if fit.first == 1.0 else weight < 1
    inside = int(((weight > 0) & (weight < 1)).sum())
    placed = _chosen(bounds)
    if placed and weight[-1] == 1 and inside <= placed:
        return False
    return determined(table, (base, factor, *bounds)) and int(acted_on.sum()) > _chosen((factor,)) + placed


def _chosen(numbers: Sequence[float]) -> int:
    """How many were: a number of few digits is no choice."""
    return sum(digits(number) > 2 for number in numbers)


def straight_line(at: Floats, values: Floats) -> tuple[float, float]:
    """The slope and the height at 0 of the nearest straight line; a slope of 0 where all lies in one place."""
    centred = at - at.mean()
    slope = float(centred @ values) / (float(centred @ centred) or math.inf)
    return slope, float(values.mean()) - slope * float(at.mean())


def least_squares(fit_of: Callable[[Floats], Fit], start: Sequence[float], table: Table, steps: int = 12) -> Fit:
    """The nearest of a family of fits, by damped Gauss-Newton over logarithms."""
    z = np.array(start, dtype=np.float64)

    def residual(at: Floats) -> Any:
        with np.errstate(all="ignore"):
            ratio = fit_of(at).frequencies(table) / table.values
            return np.where(ratio > 0, np.log(np.where(ratio > 0, ratio, 1.0)), 10.0) / table.tolerance

    r = residual(z)
    damping = 1e-9
    for _ in range(steps):
        steps_of = 1e-7 * np.maximum(np.abs(z), 1e-3)
        jacobian = np.stack(
            [(residual(z + h * unit) - r) / h for h, unit in zip(steps_of, np.eye(len(z)), strict=True)]
        )
        normal, gradient = jacobian @ jacobian.T, jacobian @ r
        try:
            change = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-30), -gradient)
        except np.linalg.LinAlgError:
            break
        new = residual(z + change)
        if np.isfinite(new).all() and new @ new <= r @ r:
            done = float(r @ r - new @ new) <= 1e-6 * float(r @ r)
            z, r, damping = z + change, new, damping / 10
            if done:
                break
        else:
            damping = max(damping, 1e-9) * 100
    return fit_of(z)
