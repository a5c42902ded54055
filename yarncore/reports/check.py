"""Rotating q and k of a model's shape, and how far the result is from exact arithmetic."""

import statistics
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yarncore.reference import members, turn_by, usual_angles
from yarncore.reports.description import Description
from yarncore.threads import get_num_threads

_CHECKED_TOKENS = 8
_TIMED_TOKENS = 1024
_MOST_OF_A_TOKEN = 2**21  # elements of all its heads; models have up to some 2^15
_MOST_TIMED = 2**27  # bytes


@dataclass(frozen=True, slots=True)
class RotationCheck:
    """What rotating at the end of the context gave.

    Attributes
    ----------
    positions : tuple of int
        First and last position that was compared.
    error : float
        Largest difference from exact arithmetic, relative to the length of the rotated pair.
    usual_error : float
        The same for cos and sin of a float32 product of position and frequency, as most code computes them.
    tokens : int
        How many were timed.
    seconds : float
        Median time to rotate their q and k in place, in float32.
    threads : int
    """

    positions: tuple[int, int]
    error: float
    usual_error: float
    tokens: int
    seconds: float
    threads: int


def check(description: Description) -> RotationCheck:
    """Rotate at the last positions of the target context, compare and time.

    Raises
    ------
    ValueError
        Where q and k would be larger than those of any model.
    """
    most = max(description.heads, description.key_heads) * description.rope.head_dim
    if most > _MOST_OF_A_TOKEN:
        raise ValueError(
            f"q and k have {description.heads} and {description.key_heads} heads of {description.rope.head_dim} elements; at most "
            f"{_MOST_OF_A_TOKEN} elements a token are rotated to check them"
        )
    rotation = description.rotation
    end = description.target_length or _TIMED_TOKENS
    positions = np.arange(max(0, end - _CHECKED_TOKENS), end)
    generator = np.random.default_rng(0)
    q, k = (
        generator.standard_normal((1, positions.size, heads, description.rope.head_dim)).astype(np.float32)
        for heads in (description.heads, description.key_heads)
    )
    sections = description.rope.sections
    given = positions if sections is None else np.broadcast_to(positions, (len(sections), 1, positions.size))
    rotated = rotation.rotate(q, k, given, heads_axis=-2)
    angle = usual_angles(positions, rotation.inverse_frequencies)
    exact, usual = _exact_cos_sin(rotation.inverse_frequencies, positions), (np.cos(angle), np.sin(angle))
    layout = description.rope.interleaved, description.rope.rotary_start

    def turned(cos: npt.NDArray[np.floating], sin: npt.NDArray[np.floating]) -> list[npt.NDArray[np.float64]]:
        m = rotation.attention_factor
        q_turned, k_turned = (turn_by(x, m * cos[:, None, :], m * sin[:, None, :], *layout) for x in (q, k))
        scale = description.rope.query_scale
        return [q_turned if scale is None else q_turned * scale.at(positions)[:, None, None], k_turned]

    exactly, usually = turned(*exact), turned(*usual)
    where = members(rotation.rotary_dim // 2, *layout)
    error = max(_distance(y, z, where) for y, z in zip(rotated, exactly, strict=True))
    usual_error = max(_distance(y, z, where) for y, z in zip(usually, exactly, strict=True))
    tokens, seconds = _time(description, end)
    return RotationCheck(
        (int(positions[0]), int(positions[-1])), error, usual_error, tokens, seconds, get_num_threads()
    )


def _exact_cos_sin(
    inverse_frequencies: npt.NDArray[np.float64], positions: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """cos and sin in 50 digits, rounded to float64."""
    import mpmath

    with mpmath.workdps(50):
        angles = [[mpmath.mpf(theta) * int(p) for theta in inverse_frequencies.tolist()] for p in positions]
        return tuple(np.array([[float(f(a)) for a in row] for row in angles]) for f in (mpmath.cos, mpmath.sin))  # type: ignore[return-value]


def _distance(y: npt.NDArray[np.floating], exact: npt.NDArray[np.float64], where: tuple[slice, slice]) -> float:
    """The largest difference of an element, relative to the length of its exact pair."""
    length = np.hypot(*(exact[..., member] for member in where))
    return max(float(np.max(np.abs(y - exact)[..., member] / length)) for member in where)


def _time(description: Description, end: int) -> tuple[int, float]:
    elements = max(description.heads, description.key_heads) * description.rope.head_dim
    tokens = min(_TIMED_TOKENS, end, _MOST_TIMED // (4 * elements))
    q, k = (
        np.ones((1, tokens, heads, description.rope.head_dim), dtype=np.float32)
        for heads in (description.heads, description.key_heads)
    )
    positions = np.arange(end - tokens, end)
    sections = description.rope.sections
    given = positions if sections is None else np.broadcast_to(positions, (len(sections), 1, tokens))
    unit = description.rotation.without_factor()  # repeated in place: lengths must not grow
    times = []
    for _ in range(9):
        start = time.perf_counter()
        unit.rotate_(q, k, given, heads_axis=-2)
        times.append(time.perf_counter() - start)
    return tokens, statistics.median(times)
