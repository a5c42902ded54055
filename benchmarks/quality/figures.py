"""The figures of a report, readable without colour."""

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from yarncore.pictures.style import add_legend, draw_line, draw_shares, line_styles

from findings import SLOW_ONE

_DEPTHS = 8  # cells


def named(typed: str) -> str:
    """A scaling without the betas that a seed chose, which differ between seeds."""
    if typed == SLOW_ONE:
        return typed
    return ",".join(part for part in typed.split(",") if not part.startswith("beta_"))


def learned(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The seeds whose model looks up well enough to be asked at length."""
    return [seed for seed in report["seeds"].values() if seed.get("retrieved")]


def drawn(report: dict[str, Any]) -> dict[str, Figure]:
    """The figures by name; retrieval where a model learned to look up."""
    found = {"perplexity": _perplexity(report), "factors": _factors(report)}
    return found | ({"retrieval": _retrieval(report)} if learned(report) else {})


def _by_depth(seeds: list[dict[str, Any]], kind: str, name: str, length: str) -> np.ndarray:
    """The share retrieved in each cell of depths: questions go evenly from depth 0 to 1."""
    every = [by_length[length] for seed in seeds for typed, by_length in seed[kind].items() if named(typed) == name]
    return np.array([np.mean(cell) for cell in np.array_split(np.mean(every, 0), _DEPTHS)])


def _retrieval(report: dict[str, Any]) -> Figure:
    """Heat maps of depth by length, in grey with the numbers in them."""
    seeds, length = learned(report), report["recipe"]["length"]
    lengths = sorted(map(int, next(iter(seeds[0]["retrieved"].values()))))
    shown = [("retrieved", name) for name in ("plain", "ntk:8", "yarn:8")]
    shown += [("retrieved_tuned", name) for name in ("ntk:8", "yarn:8", SLOW_ONE)]
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    for axis, (kind, name) in zip(figure.subplots(2, 3, sharex=True, sharey=True).flat, shown, strict=True):
        cells = np.stack([_by_depth(seeds, kind, name, str(n)) for n in lengths], 1)
        draw_shares(axis, cells)
        axis.set_xticks(range(len(lengths)), [f"{n / length:g} L" for n in lengths])
        axis.set_yticks(range(_DEPTHS), [f"{(d + 0.5) / _DEPTHS:.1f}" for d in range(_DEPTHS)])
        axis.set_title(name + (", fine-tuned" if kind == "retrieved_tuned" else ""), fontsize=8)
    figure.supylabel("depth (0: the beginning)", fontsize=9)
    figure.supxlabel("length", fontsize=9)
    return figure


def _perplexity(report: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axis, length = figure.subplots(), report["recipe"]["length"]
    seeds = list(report["seeds"].values())
    shown = ["plain", "pi:8", "ntk:8", "ntk-by-parts:8", "yarn:8", "dynamic-pi", "dynamic-yarn"]
    for name, style in zip(shown, line_styles(), strict=False):
        typed = [next(each for each in seed["losses"] if named(each) == name) for seed in seeds]
        lengths = sorted(map(int, seeds[0]["losses"][typed[0]]))
        means = [
            math.exp(np.mean([np.mean(seed["losses"][t][str(x)]) for seed, t in zip(seeds, typed, strict=True)]))
            for x in lengths
        ]
        draw_line(axis, [x / length for x in lengths], means, name, style)
    axis.set(
        xscale="log", yscale="log", xlabel="length / L", ylabel="perplexity a byte, last L/4 tokens, no fine-tuning"
    )
    axis.set_xticks([0.5, 1, 2, 4, 8], ["1/2", "1", "2", "4", "8"])
    axis.minorticks_off()
    add_legend(figure, 4)
    return figure


def _factors(report: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    for s, style in zip(("2", "4", "8"), line_styles(), strict=False):
        sweeps = [seed["factors"][s] for seed in report["seeds"].values()]
        factors = sorted(map(float, sweeps[0]))
        means = np.array([[np.mean(sweep[str(factor)]) for factor in factors] for sweep in sweeps]).mean(0)
        draw_line(axis, factors, means - means.min(), f"s = {s}", style)
        axis.axvline(0.1 * math.log(int(s)) + 1, linestyle=style["linestyle"], color="0.6", linewidth=0.8)
    axis.set(
        xlabel="attention factor (grey: 0.1 ln s + 1)",
        ylabel="loss at s L above the best, nats a byte",
        ylim=(-0.01, 0.3),
    )
    add_legend(figure, 4)
    return figure
