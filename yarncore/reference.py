"""The rotation as a reader would write it: NumPy, float64 inside. Everything else is tested against it.

Its phase is a float64 product: good while position * frequency is far below 2^53. What must hold beyond that is
tested against 50-digit arithmetic instead.
"""

import numpy as np
import numpy.typing as npt


def rotate_reference(
    x: npt.NDArray[np.floating],
    positions: npt.NDArray[np.integer | np.floating],
    inverse_frequencies: npt.NDArray[np.float64],
    attention_factor: float = 1.0,
    interleaved: bool = False,
) -> npt.NDArray[np.float64]:
    """Rotate tokens by their positions (Su et al., arXiv:2104.09864, eq. 34).

    Parameters
    ----------
    x : array, shape (..., head_dim)
        The first 2 * pairs elements of a head turn, the rest passes.
    positions : array, shape that broadcasts against x.shape[:-1]
        In tokens: (..., seq, 1) for x of shape (..., seq, heads, head_dim).
    inverse_frequencies : array, shape (pairs,), or (..., pairs) that broadcasts likewise
        Radians per token.
    attention_factor : float
        Multiplies what turns.
    interleaved : bool
        Pairs (2i, 2i+1) instead of (i, i + pairs).

    Returns
    -------
    float64 array, shape of x
    """
    angle = np.asarray(positions, dtype=np.float64)[..., None] * inverse_frequencies
    cos, sin = np.cos(angle) * attention_factor, np.sin(angle) * attention_factor

    pairs = inverse_frequencies.shape[-1]
    first = slice(0, 2 * pairs, 2) if interleaved else slice(0, pairs)
    second = slice(1, 2 * pairs, 2) if interleaved else slice(pairs, 2 * pairs)

    y = x.astype(np.float64)
    x0, x1 = y[..., first].copy(), y[..., second].copy()
    y[..., first] = x0 * cos - x1 * sin
    y[..., second] = x1 * cos + x0 * sin
    return y
