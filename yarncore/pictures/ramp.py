"""How much of its own frequency a pair keeps, by how often it turns within the original length."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from yarncore.pictures.drawn import Drawn
from yarncore.pictures.style import add_grid, add_legend, draw_line, line_styles


def draw(drawn: Sequence[Drawn]) -> Figure:
    """A line for each: 1 keeps the pair, 0 divides it by s; the weight gamma of eq. 18 (arXiv:2309.00071v2)."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    for one, style in zip(drawn, line_styles(), strict=False):
        s = one.factor
        if s is None or s <= 1:
            raise ValueError(f"{one.label} has no s above 1, so that no pair is between kept and divided by it")
        weight = (one.after / one.before - 1 / s) / (1 - 1 / s)
        draw_line(axis, one.before * one.original_length / (2 * np.pi), weight, one.label, style)
    for turns in sorted({turns for one in drawn for turns in one.bounds}):
        axis.axvline(turns, color="0.6", linewidth=0.8, linestyle="dotted")
        name = f"{turns:g} turn{'s' * (turns != 1)}"
        axis.text(turns, 1.01, name, fontsize=8, ha="center", va="bottom", transform=axis.get_xaxis_transform())
    axis.set(xscale="log", xlabel="turns within the original length", ylabel="share of the frequency that is kept")
    axis.invert_xaxis()  # fast pairs on the left, as by pair
    add_grid(axis)
    add_legend(figure)
    return figure
