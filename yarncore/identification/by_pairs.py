"""Ramps over the pair's index: YaRN and NTK-by-parts as everybody's code has them, and what looks like them."""

import math
from collections.abc import Iterator

import numpy as np

from yarncore.identification.fit import Fit, Floats, Table, least_squares
from yarncore.identification.runs import Run
from yarncore.identification.standard import BASES

_ITERATIONS = 6
_KEPT = 40  # of the bounds that were tried
_MOST_INTERPOLATED = 1 - 1e-4  # factors up to 10,000


def whole_ramps(table: Table, first: Run | None, last: Run | None) -> list[Fit]:
    """The nearest fit for each pair of whole bounds that the table allows, best first."""
    level = 1.0 if abs(table.values[0] - 1) <= table.tolerance[0] else float(table.values[0])
    bounds = np.array([(low, high) for low in _lows(table, first) for high in _highs(table, last) if high >= low])
    if not len(bounds):
        return []
    found = [fit for base in _starts(first, last) for fit in _solved(table, level, bounds, base)]
    return sorted(found, key=lambda fit: fit.miss(table))


def _lows(table: Table, first: Run | None) -> list[int]:
    if first is None:
        return [low for low in range(3) if low < table.turning]
    return [low for low in range(first.stop - 2, first.stop + 1) if 0 <= low < table.turning]


def _highs(table: Table, last: Run | None) -> list[int]:
    pairs = table.turning
    beyond = set(range(max(pairs - 3, 0), 2 * pairs))
    return sorted(beyond | ({last.start - 1, last.start, last.start + 1} if last else set()))


def _starts(first: Run | None, last: Run | None) -> list[float]:
    """Bases to start from."""
    if first is not None:
        return [first.base]
    return [last.base] if last is not None else list(BASES[:8])


def _solved(
    table: Table, level: float, bounds: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]", base: float
) -> list[Fit]:
    """For all bounds at once, the base and the level that the ramp ends on: Gauss-Newton over logarithms."""
    low, high = bounds[:, :1].astype(np.float64), bounds[:, 1:].astype(np.float64)
    u = np.clip((np.arange(table.turning) - low) / np.maximum(high - low, 0.001), 0.0, 1.0)
    logs, e, weights = np.log(table.values / level), table.exponents, 1 / table.tolerance**2
    x = np.full(len(bounds), math.log(base))
    last = u[:, -1]
    c = np.where(last > 0, (1 - math.exp(logs[-1] + x[0] * e[-1])) / np.maximum(last, 1e-3), 0.0)
    c = np.clip(c, -1e6, _MOST_INTERPOLATED)
    for _ in range(_ITERATIONS):
        inner = np.maximum(1 - c[:, None] * u, 1e-12)
        r = logs + x[:, None] * e - np.log(inner)
        dc = u / inner
        xx, xc, cc = weights @ (e * e), (dc * e) @ weights, (dc * dc) @ weights
        rx, rc = (r * e) @ weights, (r * dc) @ weights
        determinant = np.maximum(xx * cc - xc * xc, 1e-300)
        x = np.clip(x - (rx * cc - rc * xc) / determinant, 1e-3, 200.0)
        c = np.clip(c - (rc * xx - rx * xc) / determinant, -1e6, _MOST_INTERPOLATED)
    left = np.abs(np.expm1(logs + x[:, None] * e - np.log(np.maximum(1 - c[:, None] * u, 1e-12)))) / table.tolerance
    best = np.argsort(left.max(axis=1))[:_KEPT]
    return [
        Fit("pairs", math.exp(x[k]), level, level * float(1 - c[k]), float(low[k, 0]), float(high[k, 0]), whole=True)
        for k in best.tolist()
        if abs(c[k]) > 1e-9
    ]


def real_ramp(table: Table, near: Fit) -> Iterator[Fit]:
    """The nearest fit with bounds that need not be whole, from one with whole ones: where two pairs or more lie within."""
    level = near.first

    def fit_of(z: Floats) -> Fit:
        log_base, step, low, high = z
        return Fit(
            "pairs", math.exp(min(max(log_base, 1e-3), 200.0)), level, level * (1 - step), low, max(high, low + 1e-6)
        )

    start = (math.log(near.base), 1 - near.last / near.first, near.low + 0.4, max(near.high - 0.4, near.low + 0.9))
    yield least_squares(fit_of, start, table, steps=40)
