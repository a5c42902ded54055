"""Draws wavelengths.svg: the wavelength of each pair before and after YaRN, and its three regimes.

Run: python docs/figures/wavelengths.py (needs matplotlib: pip install --group docs)
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import yarncore as yc

ORIGINAL_LENGTH, FACTOR = 4096, 16.0
ROPE = yc.Rope(head_dim=128, scaling=yc.YaRN(FACTOR, ORIGINAL_LENGTH))  # YaRN-Llama-2-7b-64k
COLOURS = {"kept": "#dcefdc", "blended": "#fdf1cf", "interpolated": "#f8dcd8"}


def regimes(before, after):
    """First and last pair of each."""
    slowed = before / after
    regime = np.where(slowed == 1, "kept", np.where(np.isclose(slowed, FACTOR, rtol=1e-12), "interpolated", "blended"))
    return {name: (int(found[0]), int(found[-1])) for name in COLOURS if (found := np.flatnonzero(regime == name)).size}


def draw(target):
    """The picture, with letters as letters and no date: the same numbers give the same file."""
    before, after = yc.Rope(ROPE.head_dim).at().inverse_frequencies, ROPE.at().inverse_frequencies
    pairs = np.arange(len(before))
    axes = (figure := Figure(figsize=(8, 4), layout="constrained")).subplots()
    for name, (first, last) in regimes(before, after).items():
        axes.axvspan(first - 0.5, last + 0.5, color=COLOURS[name], linewidth=0)
        axes.text((first + last) / 2, 2.4e6, f"{name}\npairs {first} to {last}", ha="center", va="top", fontsize=10)
    axes.plot(pairs, 2 * np.pi / before, color="#888888", label="as trained")
    axes.plot(pairs, 2 * np.pi / after, color="#1f4e9c", linewidth=2, label=f"YaRN, s = {FACTOR:g}")
    for length, name in ((ORIGINAL_LENGTH, "trained length"), (ORIGINAL_LENGTH * int(FACTOR), "target length")):
        axes.axhline(length, color="black", linewidth=0.8, linestyle="dotted")
        axes.text(0, length * 1.1, f"{name}, {length:,} tokens", fontsize=8)
    axes.set(yscale="log", xlim=(-0.5, pairs[-1] + 0.5), ylim=(3, 3e6), xlabel="pair of a head",
             ylabel="wavelength: tokens for one turn")  # fmt: skip
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "yarncore"}):
        figure.savefig(target, **({"metadata": {"Date": None}} if str(target).endswith(".svg") else {}))


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".svg"))
