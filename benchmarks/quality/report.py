"""A report of the findings: JSON, a page of Markdown and the figures."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from yarncore.pictures.style import save

from figures import drawn, learned, named
from tuning import TUNED_ROWS


def write(report: dict[str, Any], folder: Path) -> None:
    """Write results.json, report.md and the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(report))
    (folder / "report.md").write_text(page(report))
    for name, figure in drawn(report).items():
        save(figure, folder / f"{name}.svg")
    print(page(report))


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
    tuned = f"Perplexity a byte after {_tuning(report)}"
    for title, kind in (("Perplexity a byte without fine-tuning", "losses"), (tuned, "tuned")):
        lines += ["", f"## {title}", "", *_table(report, kind)]
    names = [name for name, seed in report["seeds"].items() if seed.get("retrieved")]
    lines += [
        "",
        f"## Retrieved, all depths (seeds that learned to look up: {', '.join(names) or 'none'})",
        "",
        *_retrieved(report),
    ]
    lines += ["", "## Fitted on files that are not reported", "", *_fits(report)]
    lines += ["", "## Numbers of each verdict", ""]
    lines += ["Differences are in nats a byte, paired over windows, ± one standard error.", ""]
    for name in report["statements"]:
        for seed, found in report["seeds"].items():
            lines.append(f"- {name}, seed {seed}: {'; '.join(found['verdicts'][name]['numbers'])}")
    return "\n".join(lines) + "\n"


def _table(report: dict[str, Any], kind: str) -> list[str]:
    first, length = next(iter(report["seeds"].values())), report["recipe"]["length"]
    # The betas differ between seeds: rows are named without them.
    names = list(dict.fromkeys(named(typed) for typed in first[kind]))
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
                if named(typed) == name and str(n) in by_length
            ]
            spread = f" ± {math.exp(np.mean(means)) * np.std(means, ddof=1):.2f}" if len(means) > 1 else ""
            cells.append(f"{math.exp(np.mean(means)):.3f}{spread}" if means else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _fits(report: dict[str, Any]) -> list[str]:
    """What `yarncore.evaluate` recommends for each model."""
    lines = ["`yarncore.evaluate.fit_attention_factor` and `fit_thresholds` at s L, with their intervals:", ""]
    for name, seed in report["seeds"].items():
        for s, fit in seed["fits"].items():
            (low, high), of_ramp = fit["interval"], fit["thresholds"]
            lines.append(
                f"- seed {name}, s = {s}: attention factor {fit['best']:.3f} ({low:.3f} to {high:.3f}; "
                f"0.1 ln s + 1 = {0.1 * math.log(int(s)) + 1:.3f}), beta_fast, beta_slow {of_ramp['best']} "
                f"({of_ramp['interval'][0]} to {of_ramp['interval'][1]})"
            )
    return lines


def _tuning(report: dict[str, Any]) -> str:
    """How short the fine-tune was."""
    recipe, size = report["recipe"], report["size"]
    tokens = size["tune_steps"] * TUNED_ROWS * 4 * recipe["length"]
    return f"a short fine-tune at 4 L ({tokens:,} tokens, {tokens / recipe['tokens']:.1%} of the pretraining)"


def _shares(seeds: list[dict[str, Any]], kind: str, name: str, length: str) -> np.ndarray:
    """The share that each seed retrieved under a scaling."""
    return np.array(
        [
            np.mean(by_length[length])
            for seed in seeds
            for typed, by_length in seed[kind].items()
            if named(typed) == name
        ]
    )


def _retrieved(report: dict[str, Any]) -> list[str]:
    """Before and after the fine-tune, by length: the mean of the seeds and their least and most."""
    seeds = learned(report)
    if not seeds:
        return ["No model learned to look up within its budget."]
    length = report["recipe"]["length"]
    lengths = sorted(map(int, next(iter(seeds[0]["retrieved"].values()))))
    lines = ["| | " + " | ".join(f"{n / length:g} L" for n in lengths) + " |", "|---" * (len(lengths) + 1) + "|"]
    for kind, when in (("retrieved", ""), ("retrieved_tuned", ", fine-tuned")):
        for name in dict.fromkeys(named(typed) for typed in seeds[0][kind]):
            cells = []
            for n in lengths:
                each = _shares(seeds, kind, name, str(n))
                spread = f" ({each.min():.0%} - {each.max():.0%})" if len(each) > 1 else ""
                cells.append(f"{each.mean():.0%}{spread}")
            lines.append(f"| {name}{when} | " + " | ".join(cells) + " |")
    return lines
