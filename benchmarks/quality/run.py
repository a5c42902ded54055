"""The YaRN paper's findings on small models, trained here: `python benchmarks/quality/run.py`; see README.md beside it."""

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import transformers

from yarncore._version import __version__

from corpus import Corpus, standard_library
from findings import STATEMENTS, Judge, over_seeds
from parts import Measured, Size, gathered, measure
from report import write
from training import Recipe, fastest, train

SIZES = {"quick": Size(8, 0, 40, 40), "default": Size(), "full": Size(64, 400, 20_000, 20_000)}


def plan(options: argparse.Namespace, corpus: Corpus, size: Size, told: Any) -> tuple[Recipe, bool]:
    """The recipe for this machine and whether to compile: the fastest in a trial, and as many steps as there is time for.

    It is kept, so that a run that was stopped goes on with the same one.
    """
    asked = [options.size, options.minutes, len(options.seeds), options.steps, options.dtype, options.no_compile]
    path = options.cache / f"plan-{'-'.join(map(str, asked))}.json"
    if path.exists():
        held = json.loads(path.read_text())
        return Recipe(**held["recipe"]), held["compiled"]
    recipe = (
        Recipe(hidden=256, layers=8, heads=4, intermediate=688, initial=0.06) if options.size == "full" else Recipe()
    )
    dtype, compiled, steps = options.dtype, not options.no_compile, options.steps
    if dtype is None or steps is None:
        fast_dtype, fast_compiled, speed = fastest(corpus, recipe, options.device, told)
        dtype, compiled = dtype or fast_dtype, compiled and fast_compiled
        seconds = options.minutes * 60 * 0.6 / len(options.seeds)  # the rest is for measuring
        affordable = int(seconds * speed / (recipe.batch * recipe.length))
        steps = steps or min(max(affordable, size.least_steps), size.most_steps)
    recipe = replace(recipe, dtype=dtype, steps=steps)
    options.cache.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"recipe": asdict(recipe), "compiled": compiled}))
    return recipe, compiled


def parse(arguments: list[str] | None) -> argparse.Namespace:
    it = argparse.ArgumentParser(description=__doc__)
    it.add_argument(
        "--quick", action="store_const", const="quick", dest="size", default="default", help="three minutes"
    )
    it.add_argument("--full", action="store_const", const="full", dest="size", help="on a GPU")
    it.add_argument("--seeds", nargs="+", type=int, default=[0])
    it.add_argument("--minutes", type=float, default=18, help="of training and measuring, from which the steps follow")
    it.add_argument("--steps", type=int, help="of training, instead")
    it.add_argument("--tune-steps", type=int, help="of a fine-tune; 0: none")
    it.add_argument("--dtype", choices=("float32", "bfloat16"), help="of training, instead of the faster one")
    it.add_argument("--no-compile", action="store_true")
    it.add_argument("--threads", type=int)
    it.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    it.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "yarncore" / "quality")
    it.add_argument("--out", type=Path, default=Path("quality"))
    options = it.parse_args(arguments)
    if options.size == "quick":
        options.steps, options.dtype, options.no_compile = options.steps or 40, options.dtype or "float32", True
    return options


def processor() -> str:
    """Its name, where the system tells one."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    options, started = parse(arguments), time.monotonic()
    if options.threads:
        torch.set_num_threads(options.threads)
    size, corpus = SIZES[options.size], standard_library()
    if options.tune_steps is not None:
        size = replace(size, tune_steps=options.tune_steps)

    def told(what: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {what}", flush=True)

    (recipe, compiled), seeds = plan(options, corpus, size, told), {}
    for seed in options.seeds:
        one = replace(recipe, seed=seed)
        model, curve = train(corpus, one, options.cache, told, compiled, device=options.device)
        found = Measured(options.cache / f"{one.key(corpus)}-{options.size}.json")
        measure(model, corpus, one, size, found, told, options.cache)
        made = gathered(found, curve)
        verdicts = Judge(made, one.length, made["betas"]).all()
        seeds[str(seed)] = made | {"verdicts": {name: asdict(verdict) for name, verdict in verdicts.items()}}
    report = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{processor()}, {os.cpu_count()} CPUs, {torch.get_num_threads()} threads, "
        f"{options.device}",
        "versions": {"yarncore": __version__, "torch": torch.__version__, "transformers": transformers.__version__},
        "recipe": asdict(recipe) | {"tokens": recipe.tokens},
        "size": asdict(size), "seconds": time.monotonic() - started, "command": " ".join(["run.py", *(arguments or sys.argv[1:])]),
        "statements": STATEMENTS,
        "verdicts": {name: over_seeds([seed["verdicts"][name]["verdict"] for seed in seeds.values()]) for name in STATEMENTS},
        "seeds": seeds,
    }  # fmt: skip
    write(report, options.out)
    return report


if __name__ == "__main__":
    main()
