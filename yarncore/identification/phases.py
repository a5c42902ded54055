"""How the angles of a table were made: exactly, as a float32 product, by ggml's recurrence, of rounded positions."""

import math
from typing import Any, NamedTuple

import numpy as np

from yarncore.engines import tables
from yarncore.engines.tables import round_to
from yarncore.identification.fit import Floats
from yarncore.identification.measured import Complex
from yarncore.rope.rope import Rope

_ROWS = 512  # those of the largest positions tell most
_CLEARLY = 1.7  # how much better a way must be than another to be told from it
_NEIGHBOURS = 3  # ulps about the measured frequency


class Phase(NamedTuple):
    """How the angles were made, as far as it can be seen.

    Attributes
    ----------
    name : str or None
        None: the table does not tell.
    position_type : str or None
    error : float
        The largest difference of an angle from the exact one, in radians.
    """

    name: str | None
    position_type: str | None
    error: float


def phase_of(z: Complex, positions: Floats, theta: Floats, rope: Rope | None) -> Phase:
    """The way that leaves least, where another one leaves clearly more."""
    order = np.argsort(np.abs(positions))[-_ROWS:]
    z, positions = z[order] / np.abs(z[order]), positions[order]
    exact = positions[:, None] * theta
    error = float(np.abs(_left(z, exact)).max())
    ways: dict[tuple[str, str], float] = {("exact", "float32"): _rest(z, exact)}
    for position_type in ("float32", "bfloat16", "float16"):
        rounded = round_to(position_type, positions)
        if position_type == "float32" or not np.array_equal(rounded, positions):
            ways["float32-product", position_type] = _rest(z, _best_product(z, rounded, theta))
    if rope is not None and (theta >= 0).all():
        made = _recurrence(rope, positions)
        if made is not None and made.shape == exact.shape:
            ways["float32-recurrence", "float32"] = _rest(z, made)
    best = min(ways, key=lambda way: ways[way])
    others = [ways[way] for way in ways if way[0] != best[0]]
    of_positions = [ways[way] for way in ways if way[0] == best[0] and way[1] != best[1]]
    tells_phase = all(other > _CLEARLY * ways[best] for other in others)
    tells_positions = bool(of_positions) and all(other > _CLEARLY * ways[best] for other in of_positions)
    if best[0] == "exact":
        tells_positions = ways.get(("float32-product", "bfloat16"), 0.0) > _CLEARLY * ways[best]
    return Phase(best[0] if tells_phase else None, best[1] if tells_positions else None, error)


def _left(z: Complex, angles: Any) -> Floats:
    return np.asarray(np.angle(z * np.exp(-1j * angles)))


def _rest(z: Complex, angles: Any) -> float:
    """What angles leave, root of the mean square; a thousandth of an ulp for none."""
    left = _left(z, np.asarray(angles, dtype=np.float64))
    return max(math.sqrt(float((left**2).mean())), 1e-11)


def _best_product(z: Complex, positions: Any, theta: Floats) -> Floats:
    """float32 products of the positions with those float32 neighbours of the frequencies that fit best."""
    centre = theta.astype(np.float32)
    best = np.zeros((len(positions), len(theta)))
    least = np.full(len(theta), np.inf)
    steps = np.spacing(np.abs(centre)) if len(centre) else centre
    for step in range(-_NEIGHBOURS, _NEIGHBOURS + 1):
        angles = (positions[:, None] * (centre + np.float32(step) * steps)).astype(np.float64)
        rest = (_left(z, angles) ** 2).sum(axis=0)
        better = rest < least
        best[:, better], least[better] = angles[:, better], rest[better]
    return best


def _recurrence(rope: Rope, positions: Floats) -> Floats | None:
    try:
        return np.asarray(tables.angles(rope, positions, phase="float32-recurrence"), dtype=np.float64)
    except (ValueError, TypeError):
        return None
