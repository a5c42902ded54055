"""How the score of q and k can decay with their distance."""

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from yarncore.pictures.drawn import Drawn
from yarncore.pictures.style import add_grid, add_legend, draw_line, line_styles, tokens_in_words

_POINTS = 80
_AVERAGED = 64  # distances behind each point: the bound itself beats


def bound(inverse_frequencies: npt.NDArray[np.float64], distances: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The mean of |S_j| over pairs, S_j the sum over i < j of exp(i distance theta_i), divided by that at distance 0.

    What bounds the score of any q and k at a distance (Su et al., arXiv:2104.09864, section 3.4.3).
    """
    partial = np.cumsum(np.exp(1j * distances[..., None] * inverse_frequencies), axis=-1)
    at_zero = (len(inverse_frequencies) + 1) / 2
    relative: npt.NDArray[np.float64] = np.abs(partial).mean(axis=-1) / at_zero
    return relative


def draw(drawn: Sequence[Drawn]) -> Figure:
    """A line for each, averaged over nearby distances, the temperature on the logits included; the lengths are marked."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    farthest = 2 * max(one.target_length for one in drawn)
    edges = np.unique(np.geomspace(1, farthest, _POINTS + 1).astype(np.int64))
    distances = np.array([np.linspace(*pair, _AVERAGED, endpoint=False) for pair in itertools.pairwise(edges)]).astype(
        np.int64
    )
    for one, style in zip(drawn, line_styles(), strict=False):
        rotation = one.rope.at(one.target_length)
        factor = float(rotation.attention_factor)
        temperature = factor * factor * float(rotation.softmax_scale_factor)
        draw_line(axis, edges[:-1], temperature * bound(one.after, distances).mean(axis=1), one.label, style)
    marked = dict.fromkeys(length for one in drawn for length in (one.original_length, one.target_length))
    for length in marked:
        axis.axvline(length, color="0.6", linewidth=0.8, linestyle="dotted")
        axis.text(length, 0.98, tokens_in_words(length), fontsize=8, ha="right", va="top", rotation=90,
                  transform=axis.get_xaxis_transform())  # fmt: skip
    axis.set(xscale="log", xlabel="distance (tokens)", ylabel="bound of the score, relative to distance 0")
    axis.set_ylim(bottom=0)
    add_grid(axis)
    add_legend(figure)
    return figure
