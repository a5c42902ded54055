"""The style that all pictures share: what is told apart is told apart without colour, and the same numbers give the same file."""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

# Told apart by the dash and the marker; no line is told apart by its colour alone.
_DASHES: list[tuple[Any, str]] = [
    ("-", "o"),
    ("--", "s"),
    (":", "^"),
    ("-.", "D"),
    ((0, (5, 1)), "v"),
    ((0, (1, 3)), "P"),
    ((0, (3, 1, 1, 1, 1, 1)), "X"),
]
_INK = ["black", "0.35", "0.55"]


def line_styles() -> Iterator[dict[str, Any]]:
    """What matplotlib's `plot` is told for one line after the other."""
    for (dash, marker), ink in zip(cycle(_DASHES), cycle(_INK), strict=False):
        yield {
            "linestyle": dash, "marker": marker, "color": ink, "markersize": 5,
            "fillstyle": "full" if ink == "black" else "none",
        }  # fmt: skip


def draw_line(axis: Any, across: Iterable[Any], up: Any, label: str, style: dict[str, Any]) -> None:
    """A line with a dozen markers, however many points it has."""
    across = list(across)
    axis.plot(across, up, label=label, markevery=max(len(across) // 12, 1), **style)


def draw_shares(axis: Any, table: Sequence[Sequence[float]]) -> None:
    """A map of shares from 0 to 1, each written in its cell."""
    axis.imshow(table, cmap="Greys_r", vmin=-0.25, vmax=1, aspect="auto")  # nothing is dark, and not black
    for y, values in enumerate(table):
        for x, share in enumerate(values):
            ink = "black" if share > 0.45 else "white"
            axis.text(x, y, f"{share:.0%}", ha="center", va="center", fontsize=7, color=ink)


def add_legend(figure: Figure, columns: int = 2) -> None:
    """Beside the axes: nothing that is drawn is hidden."""
    figure.legend(fontsize=8, handlelength=4, loc="outside upper center", ncols=columns, frameon=False)


def add_grid(axis: Any) -> None:
    """Lines in the background, paler than anything that is drawn."""
    axis.grid(True, which="major", color="0.85", linewidth=0.5)
    axis.set_axisbelow(True)


def tokens_in_words(tokens: int) -> str:
    """4k for 4096; other numbers with commas."""
    return f"{tokens / 1024:g}k" if tokens >= 1024 and tokens % 512 == 0 else f"{tokens:,}"


def save(figure: Figure, path: Path) -> None:
    """Write a picture in the format of its suffix; the same picture gives the same bytes.

    An SVG has no date, names within that follow from the picture, and letters as letters.
    """
    ending = path.suffix.lower().removeprefix(".")
    salt = path.stem.encode("utf-8", "replace").decode()  # names of files may be no text
    drawn = io.BytesIO()  # whole, before a file that was there is lost
    with matplotlib.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
        figure.savefig(drawn, format=ending, **({"metadata": {"Date": None}} if ending == "svg" else {"dpi": 160}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawn.getvalue())
