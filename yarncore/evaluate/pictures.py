"""Pictures of an evaluation: retrieval by depth and length, perplexity by length, loss by position. Readable without colour."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from yarncore.pictures.style import add_grid, add_legend, draw_line, draw_shares, line_styles, save, tokens_in_words


def draw(report: dict[str, Any], folder: Path) -> list[Path]:
    """Draw what a report holds, each picture as SVG and PNG; returns the files."""
    return [path for name, figure in _figures(report) for path in _saved(figure, folder, name)]


def _figures(report: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    runs = report["runs"]
    if any("needles" in run for run in runs):
        yield "needles", heat_maps(runs)
    if any("perplexity" in run for run in runs):
        yield "perplexity", perplexity_by_length(runs)
        yield "positions", loss_by_position(runs)


def _saved(figure: Figure, folder: Path, name: str) -> list[Path]:
    files = [folder / f"{name}.{ending}" for ending in ("svg", "png")]
    for file in files:
        save(figure, file)
    return files


def heat_maps(runs: list[dict[str, Any]]) -> Figure:
    """Depth by length, a map for each scaling and kind of needles; the share stands in each cell."""
    kinds = list(dict.fromkeys(kind for run in runs for kind in run.get("needles", {})))
    across = len(kinds) if len(kinds) > 1 else min(len(runs), 4)
    down = -(-len(kinds) * len(runs) // across)
    cells = next(run for run in runs if "needles" in run)["needles"][kinds[0]]["asked"]
    lengths, depths = sorted({cell["length"] for cell in cells}), sorted({cell["depth"] for cell in cells})
    size = (across * max(1.6 + 0.5 * len(lengths), 2.8), down * max(1.2 + 0.34 * len(depths), 2.2))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    maps = [(run, kind) for run in runs for kind in kinds]
    for axis, (run, kind) in zip(axes.flat, maps, strict=False):
        _heat_map(axis, run["needles"][kind]["asked"], lengths, depths)
        axis.set_title(f"{kind.replace('_', '-')}, {run['scaling']}", fontsize=9)
        axis.set_xlabel("length (tokens)", fontsize=8)
        axis.set_ylabel("depth", fontsize=8)
        axis.label_outer()
    for axis in axes.flat[len(maps) :]:
        axis.set_axis_off()
    return figure


def _heat_map(axis: Any, cells: list[dict[str, Any]], lengths: list[int], depths: list[float]) -> None:
    shares = {(cell["length"], cell["depth"]): cell["share"] for cell in cells}
    draw_shares(axis, [[shares[length, depth] for length in lengths] for depth in depths])
    axis.set_xticks(range(len(lengths)), [tokens_in_words(each) for each in lengths], fontsize=7, rotation=45)
    axis.set_yticks(range(len(depths)), [f"{each:.0%}" for each in depths], fontsize=7)


def _lines(runs: list[dict[str, Any]], key: str, x: str, y: str) -> Figure:
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    for run, style in zip([run for run in runs if key in run], line_styles(), strict=False):
        draw_line(axis, [point[x] for point in run[key]], [point[y] for point in run[key]], run["scaling"], style)
    add_grid(axis)
    add_legend(figure)
    return figure


def perplexity_by_length(runs: list[dict[str, Any]]) -> Figure:
    """A line for each scaling."""
    figure = _lines(runs, "perplexity", "length", "perplexity")
    (axis,) = figure.axes
    lengths = sorted({point["length"] for run in runs for point in run.get("perplexity", ())})
    axis.set(xscale="log", yscale="log", xlabel="length (tokens)", ylabel="perplexity (lower is better)")
    axis.set_xticks(lengths, [tokens_in_words(each) for each in lengths])
    axis.minorticks_off()
    axis.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axis.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    return figure


def loss_by_position(runs: list[dict[str, Any]]) -> Figure:
    """A line for each scaling: failure beyond what a model reads is a cliff."""
    figure = _lines(runs, "positions", "behind", "loss")
    (axis,) = figure.axes
    axis.set(xlabel="position (tokens)", ylabel="loss (nats a token)")
    return figure
