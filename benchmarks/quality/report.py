"""A report of the findings: JSON, a page of Markdown, and figures that are readable without colour."""

import json
import math
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from findings import SLOW_ONE

_DASHES = ["-", "--", ":", "-.", (0, (5, 1)), (0, (1, 3)), (0, (3, 1, 1, 1))]
_MARKERS = "os^DvPX"


def write(report: dict[str, Any], folder: Path) -> None:
    """Write results.json, report.md and the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(report))
    (folder / "report.md").write_text(page(report))
    for name, figure in (("perplexity", _perplexity(report)), ("factors", _factors(report))):
        with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    print(page(report))


def _named(typed: str) -> str:
    """A scaling without the betas that a seed chose, which differ between seeds."""
    if typed == SLOW_ONE:
        return typed
    return ",".join(part for part in typed.split(",") if not part.startswith("beta_"))


def page(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    recipe = report["recipe"]
    lines = [
        "# The paper's findings on small models", "",
        f"{report['date']}, {report['machine']}; {', '.join(f'{k} {v}' for k, v in report['versions'].items())}.", "",
        f"`python benchmarks/quality/{report['command']}`: {report['seconds']:.0f} s in this call, what was kept of earlier "
        f"ones apart. {len(report['seeds'])} seeds of "
        f"{recipe['layers']} layers of {recipe['hidden']}, L = {recipe['length']} bytes, {recipe['tokens']:,} tokens each "
        f"({recipe['dtype']}). Betas by seed, chosen on files that are not reported: "
        + ", ".join(f"{name}: {seed['betas']}" for name, seed in report["seeds"].items()) + ".", "",
        "| | statement | over the seeds | each seed |", "|---|---|---|---|",
    ]  # fmt: skip
    for name, statement in report["statements"].items():
        each = ", ".join(seed["verdicts"][name]["verdict"] for seed in report["seeds"].values())
        lines.append(f"| {name} | {statement} | **{report['verdicts'][name]}** | {each} |")
    for title, kind in (
        ("Perplexity a byte without fine-tuning", "losses"),
        ("After a short fine-tune at 4 L", "tuned"),
    ):
        lines += ["", f"## {title}", "", *_table(report, kind)]
    lines += ["", "## Numbers of each verdict", ""]
    lines += ["Differences are in nats a byte, paired over windows, ± one standard error.", ""]
    for name in report["statements"]:
        for seed, found in report["seeds"].items():
            lines.append(f"- {name}, seed {seed}: {'; '.join(found['verdicts'][name]['numbers'])}")
    return "\n".join(lines) + "\n"


def _table(report: dict[str, Any], kind: str) -> list[str]:
    first, length = next(iter(report["seeds"].values())), report["recipe"]["length"]
    # The betas differ between seeds: rows are named without them.
    names = list(dict.fromkeys(_named(typed) for typed in first[kind]))
    if not names:
        return ["Not run at this size."]
    lengths = sorted({int(n) for by_length in first[kind].values() for n in by_length})
    lines = ["| | " + " | ".join(f"{n / length:g} L" for n in lengths) + " |", "|---" * (len(lengths) + 1) + "|"]
    for name in names:
        cells = []
        for n in lengths:
            means = [
                float(np.mean(by_length[str(n)]))
                for seed in report["seeds"].values()
                for typed, by_length in seed[kind].items()
                if _named(typed) == name and str(n) in by_length
            ]
            spread = f" ± {math.exp(np.mean(means)) * np.std(means, ddof=1):.2f}" if len(means) > 1 else ""
            cells.append(f"{math.exp(np.mean(means)):.3f}{spread}" if means else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _perplexity(report: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axis, length = figure.subplots(), report["recipe"]["length"]
    seeds = list(report["seeds"].values())
    shown = ["plain", "pi:8", "ntk:8", "ntk-by-parts:8", "yarn:8", "dynamic-pi", "dynamic-yarn"]
    for n, name in enumerate(shown):
        typed = [next(each for each in seed["losses"] if _named(each) == name) for seed in seeds]
        lengths = sorted(map(int, seeds[0]["losses"][typed[0]]))
        means = [
            math.exp(np.mean([np.mean(seed["losses"][t][str(x)]) for seed, t in zip(seeds, typed, strict=True)]))
            for x in lengths
        ]
        axis.plot(
            [x / length for x in lengths], means, linestyle=_DASHES[n], marker=_MARKERS[n], color="black" if n % 2 else "0.4",
            fillstyle="none" if n % 2 else "full", label=name,
        )  # fmt: skip
    axis.set(
        xscale="log", yscale="log", xlabel="length / L", ylabel="perplexity a byte, last L/4 tokens, no fine-tuning"
    )
    axis.set_xticks([0.5, 1, 2, 4, 8], ["1/2", "1", "2", "4", "8"])
    axis.minorticks_off()
    figure.legend(fontsize=8, handlelength=4, loc="outside upper center", ncols=4, frameon=False)
    return figure


def _factors(report: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    for n, s in enumerate(("2", "4", "8")):
        sweeps = [seed["factors"][s] for seed in report["seeds"].values()]
        factors = sorted(map(float, sweeps[0]))
        means = np.array([[np.mean(sweep[str(factor)]) for factor in factors] for sweep in sweeps]).mean(0)
        axis.plot(
            factors, means - means.min(), linestyle=_DASHES[n], marker=_MARKERS[n], color="black", label=f"s = {s}"
        )
        axis.axvline(0.1 * math.log(int(s)) + 1, linestyle=_DASHES[n], color="0.6", linewidth=0.8)
    axis.set(
        xlabel="attention factor (grey: 0.1 ln s + 1)",
        ylabel="loss at s L above the best, nats a byte",
        ylim=(-0.01, 0.3),
    )
    figure.legend(fontsize=8, handlelength=4, loc="outside upper center", ncols=4, frameon=False)
    return figure
