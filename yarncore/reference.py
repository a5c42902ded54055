"""The rotation as a reader would write it: NumPy, float64 inside. Everything else is tested against it.

Public, for tests of other code too. `rotate_reference` makes its phase by a float64 product: good while position *
frequency is far below 2^53. What must hold beyond that is compared with `turn_by` and cos and sin of 50 digits.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["members", "rotate_reference", "turn_by", "usual_angles"]


def rotate_reference(
    x: npt.NDArray[np.floating],
    positions: npt.NDArray[np.integer | np.floating],
    inverse_frequencies: npt.NDArray[np.float64],
    attention_factor: float = 1.0,
    interleaved: bool = False,
    rotary_start: int = 0,
) -> npt.NDArray[np.float64]:
    """Rotate tokens by their positions (Su et al., arXiv:2104.09864, eq. 34).

    Parameters
    ----------
    x : array, shape (..., head_dim)
        2 * pairs elements of a head turn, from rotary_start on; the rest passes.
    positions : array, shape that broadcasts against x.shape[:-1]
        In tokens: (..., seq, 1) for x of shape (..., seq, heads, head_dim).
    inverse_frequencies : array, shape (pairs,), or (..., pairs) that broadcasts likewise
        Radians per token.
    attention_factor : float
        Multiplies what turns.
    interleaved : bool
        Pairs (2i, 2i+1) instead of (i, i + pairs).
    rotary_start : int
        Which element of a head is the first that turns.

    Returns
    -------
    float64 array, shape of x
    """
    angle = np.asarray(positions, dtype=np.float64)[..., None] * inverse_frequencies
    cos, sin = np.cos(angle) * attention_factor, np.sin(angle) * attention_factor
    return turn_by(x, cos, sin, interleaved, rotary_start)


def turn_by(
    x: npt.NDArray[np.floating],
    cos: npt.NDArray[np.floating],
    sin: npt.NDArray[np.floating],
    interleaved: bool = False,
    rotary_start: int = 0,
) -> npt.NDArray[np.float64]:
    """Turn the pairs of x by given cos and sin, whose shape (..., pairs) broadcasts against x.shape[:-1].

    y0 = x0 cos - x1 sin, y1 = x1 cos + x0 sin, in float64.
    """
    first, second = members(cos.shape[-1], interleaved, rotary_start)
    y = x.astype(np.float64)
    x0, x1 = y[..., first].copy(), y[..., second].copy()
    y[..., first] = x0 * cos - x1 * sin
    y[..., second] = x1 * cos + x0 * sin
    return y


def members(pairs: int, interleaved: bool = False, rotary_start: int = 0) -> tuple[slice, slice]:
    """Where the first and the second member of each pair stand within a head."""
    end = rotary_start + 2 * pairs
    if interleaved:
        return slice(rotary_start, end, 2), slice(rotary_start + 1, end, 2)
    return slice(rotary_start, rotary_start + pairs), slice(rotary_start + pairs, end)


def usual_angles(
    positions: npt.NDArray[np.integer | np.floating], inverse_frequencies: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """The angles of most code, for comparison: a float32 product of position and frequency, shape (..., pairs)."""
    return positions.astype(np.float32)[..., None] * inverse_frequencies.astype(np.float32)
