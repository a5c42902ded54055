"""The wavelength of each pair before and after scaling, and what becomes of it."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from yarncore.pictures.drawn import Drawn
from yarncore.pictures.style import add_legend
from yarncore.rope.regimes import pair_rows

# Paper white for what is as it was; greys for what is not.
_GREY = {"kept": "1.0", "blended": "0.93", "interpolated": "0.84", "stretched": "0.93", "still": "0.84"}


def draw(drawn: Sequence[Drawn]) -> Figure:
    """A picture of one: the regimes are stripes with their names."""
    if len(drawn) > 1:
        raise ValueError(
            "a picture of wavelengths shows one rotary embedding; scalings side by side are in multipliers"
        )
    (one,) = drawn
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    before, after = 2 * np.pi / one.before, 2 * np.pi / np.where(one.after == 0, np.nan, one.after)
    pairs = np.arange(len(before))
    top = float(np.nanmax([*before, *after, one.target_length])) * 30
    for regime, first, last in _stripes(one):
        axes.axvspan(first - 0.5, last + 0.5, facecolor=_GREY[regime], edgecolor="0.6", linewidth=0.5)
        where = f"pair {first}" if first == last else f"pairs {first} to {last}"
        axes.text((first + last) / 2, top / 1.6, f"{regime}\n{where}", ha="center", va="top", fontsize=9)
    axes.plot(pairs, before, color="0.4", linestyle="--", linewidth=1.5, label="as trained")
    axes.plot(pairs, after, color="black", linewidth=2, label=one.label)
    lengths = {"trained length": one.original_length, "target length": one.target_length}
    if one.target_length == one.original_length:
        del lengths["target length"]
    for name, length in lengths.items():
        axes.axhline(length, color="black", linewidth=0.8, linestyle="dotted")
        above = length == max(lengths.values())  # the other is told below its line: two lengths may be close
        axes.annotate(
            f"{name}, {length:,} tokens", (0, length), (0, 2 if above else -2), textcoords="offset points", fontsize=8,
            va="bottom" if above else "top",
        )  # fmt: skip
    axes.set(yscale="log", xlim=(-0.5, pairs[-1] + 0.5), ylim=(3, top), xlabel="pair of a head",
             ylabel="wavelength: tokens for one turn")  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    add_legend(figure)
    return figure


def _stripes(one: Drawn) -> Iterator[tuple[str, int, int]]:
    """Each regime with its first and last pair, in the order of pairs."""
    rows = pair_rows(one.rope, one.original_length, one.target_length, one.factor)
    for regime, group in itertools.groupby(rows, key=lambda row: row.regime):
        members = [row.pair for row in group]
        yield regime, members[0], members[-1]
