"""cos and sin at known positions -> inverse frequencies, the amplitude, and how well they are known."""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from yarncore.identification.fit import TOLERANCE, Floats
from yarncore.identification.stored import SMALLEST_OF_FLOAT16

Complex = npt.NDArray[np.complex128]
# bfloat16 has all whole numbers up to here: below it positions cannot have been rounded.
_UNROUNDED = 256
_OF_AMPLITUDES = 1e-3
_FEWEST_ROWS = 8
_FARTHEST = 8192  # tokens that rows may be shifted by
_AGREES = 1 - 1e-4


class NoRotationError(ValueError):
    """What was given is no rotation, and the sentence says why."""


class Measured(NamedTuple):
    """What was measured.

    Attributes
    ----------
    theta : float64 array, shape (pairs,)
        Radians per token, negative where a pair turns backwards.
    tolerance : float64 array, shape (pairs,)
        Relative.
    rounding : float64 array, shape (pairs,)
        What the type of the table is to blame for, radians per token.
    factor : float
    """

    theta: Floats
    tolerance: Floats
    rounding: Floats
    factor: float


def measure(z: Complex, positions: Floats, noise: float, stored: str = "float32") -> Measured:
    """The frequencies of z = m exp(i p theta), (positions, pairs).

    Parameters
    ----------
    noise : float
        What a cosine was rounded by.
    stored : str
        The type of the cosines.

    Raises
    ------
    NoRotationError
        Where z is no table of rotations.
    ValueError
        Where the positions are too far apart to tell how often a pair turned between them.
    """
    lengths = np.abs(z)
    factor = float(np.median(lengths))
    spread = float(np.abs(lengths / factor - 1).max()) if factor > 0 else math.inf
    if spread > 4 * noise + 1e-6:
        raise NoRotationError(
            _amplitudes(z)
            or f"cos^2 + sin^2 goes from {lengths.min() ** 2:.6g} to {lengths.max() ** 2:.6g}; the same for all positions and "
            "pairs is expected of a rotation"
        )
    z = z / lengths
    if np.all(positions == 0):
        raise ValueError("all positions are 0, where nothing turns; give more of them")
    near = np.abs(positions) <= _UNROUNDED
    some = near if (near & (positions != 0)).sum() >= 4 else np.ones_like(near)
    theta = _refined(z[some], positions[some], _coarse(z[some], positions[some]))
    rounding = _rounding(positions[some], theta, noise, stored)
    return Measured(theta, _relative(_spread(z[some], positions[some], theta), rounding, theta), rounding, factor)


def _amplitudes(z: Complex) -> str | None:
    """In words, where cos and sin have amplitudes that differ."""
    squares = np.stack([z.real.ravel() ** 2, z.imag.ravel() ** 2], axis=1)
    parts = np.linalg.lstsq(squares, np.ones(len(squares)), rcond=None)[0]
    if not (parts > 0).all() or np.abs(squares @ parts - 1).max() > _OF_AMPLITUDES:
        return None
    of_cos, of_sin = (1 / math.sqrt(part) for part in parts.tolist())
    return (
        f"cos has the amplitude {of_cos:.6g} and sin {of_sin:.6g}: a temperature that is applied to one of them; the same is "
        "expected of a rotation"
    )


def shifted_by(z: Complex, positions: Floats, noise: float, theta: Floats) -> int:
    """How many tokens its rows lie behind the positions that were given; 0 where they do not, and where nothing fits.

    Rows among themselves tell the frequencies, whatever they are counted from; these tell the position of the first. `theta` are
    the frequencies that were measured from 0.
    """
    first = int(np.argmin(np.abs(positions)))
    unit = z / np.abs(z)
    if len(positions) < _FEWEST_ROWS or _agreement(unit[first], positions[first], theta) > _AGREES:
        return 0
    near = np.abs(positions - positions[first]) <= _UNROUNDED
    among = unit[near] * np.conj(unit[first])
    theta = measure(among, positions[near] - positions[first], noise).theta
    shifts = np.arange(-_FARTHEST, _FARTHEST + 1)
    best = np.flatnonzero(_agreement(unit[first], positions[first] + shifts[:, None], theta) > _AGREES)
    return int(shifts[best[0]]) if len(best) == 1 else 0


def _agreement(unit: Complex, positions: Any, theta: Floats) -> Any:
    """1 where angles are those of the positions, 0 where they have nothing to do with them."""
    return np.real(unit * np.exp(-1j * positions * theta)).mean(axis=-1)


def _coarse(z: Complex, positions: Floats) -> Floats:
    """By neighbours, then by ever wider gaps: each tells the turns that the next one hides."""
    row_of = {float(p): i for i, p in enumerate(positions.tolist())}
    if 0.0 not in row_of:  # where nothing has turned
        row_of[0.0] = len(positions)
        z = np.concatenate([z, np.ones((1, z.shape[1]), dtype=z.dtype)])
    known = sorted(row_of)
    gaps = sorted({b - a for a, b in itertools.pairwise(known)})
    if gaps[0] > 3:
        raise ValueError(
            f"the nearest two positions are {gaps[0]:g} tokens apart: pairs that turn by up to a radian a token are not told "
            "apart; give some that follow each other"
        )
    theta = np.zeros(z.shape[1])
    gap = gaps[0]
    while True:
        starts = [p for p in known if p + gap in row_of]
        if starts:
            a, b = ([row_of[p + shift] for p in starts] for shift in (0.0, gap))
            turned = (z[b] * np.conj(z[a]) * np.exp(-1j * gap * theta)).mean(axis=0)
            theta = theta + np.angle(turned) / gap
        elif gap > known[-1] - known[0]:
            return theta
        gap *= 2


def _refined(z: Complex, positions: Floats, theta: Floats) -> Floats:
    """The least squares of all rows, whose phases are known to within half a turn now."""
    for _ in range(2):
        left = np.angle(z * np.exp(-1j * positions[:, None] * theta))
        theta = theta + (positions @ left) / (positions @ positions)
    return theta


def _rounding(positions: Floats, theta: Floats, noise: float, stored: str) -> Floats:
    """Where a pair turns so little that all its cosines were rounded the same way, that rounding; radians per token."""
    # A tangent has the rounding of both, and the smallest sines of float16 have few bits.
    both = 2 * noise if stored == "bfloat16" else noise
    smallest = SMALLEST_OF_FLOAT16 if stored == "float16" else 0.0
    farthest = np.abs(positions).max()
    return np.asarray(np.minimum(both * np.abs(theta), 4 * both / farthest) + smallest / farthest)


def _spread(z: Complex, positions: Floats, theta: Floats) -> Floats:
    """Six standard deviations, radians per token."""
    left = np.angle(z * np.exp(-1j * positions[:, None] * theta))
    return np.asarray(6 * np.sqrt((positions**2) @ (left**2)) / (positions @ positions))


def _relative(spread: Floats, rounding: Floats, theta: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(theta != 0, np.maximum(spread, rounding) / np.abs(theta), 0.0)
    return np.maximum(relative, TOLERANCE)
