"""What several methods multiply the frequency of each pair by."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from yarncore.pictures.drawn import Drawn
from yarncore.pictures.style import add_grid, add_legend, draw_line, line_styles


def draw(drawn: Sequence[Drawn]) -> Figure:
    """A line for each, at its target length; 1 keeps a pair as it was trained."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    lowest = 1.0
    for one, style in zip(drawn, line_styles(), strict=False):
        multiplier = one.after / one.before
        multiplier = np.where(
            multiplier == 0, np.nan, multiplier
        )  # what stands still has no place on a scale of ratios
        lowest = min(lowest, float(np.nanmin(multiplier)))
        draw_line(axis, np.arange(len(multiplier)), multiplier, one.label, style)
    axis.set(yscale="log", xlabel="pair of a head", ylabel="scaled frequency / trained frequency")
    powers = range(int(np.ceil(-np.log2(lowest) - 1e-9)) + 1)
    axis.set_yticks([2.0**-n for n in powers], ["1" if n == 0 else f"1/{2**n}" for n in powers])
    axis.yaxis.set_minor_locator(NullLocator())
    add_grid(axis)
    add_legend(figure)
    return figure
