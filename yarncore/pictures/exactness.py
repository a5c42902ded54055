"""How far cos and sin are from the truth, by position: of this package's rotation, and of the usual ways to compute them."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from yarncore.pictures.drawn import Drawn
from yarncore.pictures.style import add_grid, add_legend, draw_line, line_styles
from yarncore.reference import usual_angles

_OCTAVES = 24
_SAMPLES = 32

Pair = tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]


def sampled_positions(octaves: int = _OCTAVES) -> npt.NDArray[np.int64]:
    """Positions of each octave from 1 on, shape (octaves, samples); the last one is its end."""
    starts = 2 ** np.arange(octaves)
    return np.array([np.linspace(start, 2 * start - 1, _SAMPLES).astype(np.int64) for start in starts])


def in_bfloat16(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Positions rounded to 8 significant bits, as where they are kept in the dtype of the model."""
    mantissa, exponent = np.frexp(positions.astype(np.float64))
    return np.ldexp(np.round(mantissa * 256) / 256, exponent)


def errors(one: Drawn) -> dict[str, npt.NDArray[np.float64]]:
    """The largest error of cos and sin over pairs and samples of each octave, against float64 of 1e-15."""
    rotation = one.rope.at(one.target_length).without_factor()
    theta = np.asarray(rotation.inverse_frequencies)
    positions = sampled_positions()
    flat = positions.reshape(-1)
    exact = rotation.cos_sin(flat, dtype=np.float64)

    def of(angles: npt.NDArray[np.floating]) -> Pair:
        return np.cos(angles), np.sin(angles)

    ways: dict[str, Callable[[], Pair]] = {
        "positions in bfloat16": lambda: of(usual_angles(in_bfloat16(flat), theta)),
        "angles in float32, as usual": lambda: of(usual_angles(flat, theta)),
        "yarncore, float32": lambda: rotation.cos_sin(flat, dtype=np.float32),
    }
    return {label: _largest(way(), exact, len(positions)) for label, way in ways.items()}


def _largest(found: Pair, exact: Pair, octaves: int) -> npt.NDArray[np.float64]:
    difference = np.maximum(*(np.abs(a.astype(np.float64) - b) for a, b in zip(found, exact, strict=True)))
    worst: npt.NDArray[np.float64] = difference.reshape(octaves, -1).max(axis=1)
    return worst


def draw(drawn: Sequence[Drawn]) -> Figure:
    """A line for each way to compute the phases of one rotary embedding."""
    if len(drawn) > 1:
        raise ValueError("a picture of exactness shows one rotary embedding, computed in several ways")
    (one,) = drawn
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    ends = sampled_positions()[:, -1]
    for (label, worst), style in zip(errors(one).items(), line_styles(), strict=False):
        draw_line(axis, ends, np.maximum(worst, 1e-9), label, style)
    axis.set(yscale="log", xlabel="position (tokens)", ylabel="largest error of cos and sin")
    axis.set_xscale("log", base=2)
    axis.axhline(2**-9, color="0.6", linewidth=0.8, linestyle="dotted")
    axis.text(ends[-1], 2**-9 / 1.2, "rounding of bfloat16 itself", fontsize=8, ha="right", va="top")
    add_grid(axis)
    add_legend(figure, columns=3)
    return figure
