"""All that is measured of one model, part by part, so that it resumes."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from yarncore.evaluate.fitting import fit_attention_factor, fit_thresholds
from yarncore.evaluate.scalings import parse_scaling

from corpus import Corpus
from findings import SLOW_ONE
from lookup import LADDER
from measuring import Windows, losses_under, retrieved_under, windows_of
from training import Recipe
from tuning import fine_tune

BETAS = ((32, 1), (16, 1), (8, 1), (4, 1), (2, 1), (2, 0.5), (4, 0.5), (1, 0.25))


@dataclass(frozen=True)
class Size:
    """What is measured of a model: windows, each with a question too, steps of a fine-tune; and how many steps it is trained."""

    windows: int = 64
    tune_steps: int = 40
    most_steps: int = 2000
    least_steps: int = 200


class Measured(dict[str, Any]):
    """What was measured of a seed, on disk as it comes: a part that is there is not measured again."""

    def __init__(self, path: Path) -> None:
        super().__init__(json.loads(path.read_text()) if path.exists() else {})
        self.path = path

    def part(self, name: str, compute: Any) -> Any:
        if name not in self:
            self[name] = compute()
            beside = self.path.with_suffix(".part")
            beside.write_text(json.dumps(self))
            beside.replace(self.path)
        return self[name]


def listed(by_length: dict[int, Any]) -> dict[str, list[float]]:
    return {str(length): [float(value) for value in values] for length, values in by_length.items()}


def typed_scalings(betas: str) -> dict[str, list[float]]:
    """Every scaling, and the lengths it is measured at in multiples of L."""
    usual = [0.5, 1.0, 2.0, 4.0, 8.0]
    found = {"plain": usual, "dynamic-pi": usual, "dynamic-ntk": usual, f"dynamic-yarn,{betas}": usual}
    for s in (4, 8):
        found |= {f"pi:{s}": usual, f"ntk:{s}": usual, f"ntk-by-parts:{s},{betas}": usual}
    found[f"yarn:4,{betas}"] = [*usual, 5.0, 6.0]
    found |= {f"yarn:8,{betas}": usual, f"yarn:2,{betas}": [1.0, 2.0, 2.5, 3.0]}
    return found | {f"yarn:4,attention_factor=1,{betas}": [1.0, 4.0]}


def choose_betas(model: Any, unseen: Windows, length: int) -> str:
    """By NTK-by-parts at s = 4 at L and 4 L, on windows of files that are never reported."""
    means = {}
    for fast, slow in BETAS:
        typed = f"beta_fast={fast},beta_slow={slow}"
        found = losses_under(model, f"ntk-by-parts:4,{typed}", unseen, [length, 4 * length])
        means[typed] = sum(float(loss.mean()) for loss in found.values())
    return min(means, key=means.__getitem__)


def measure(model: Any, corpus: Corpus, recipe: Recipe, size: Size, found: Measured, told: Any, cache: Path) -> None:
    """All that the judge needs of one model."""
    length = recipe.length
    windows, unseen = (
        windows_of(corpus, 8 * length, length // 4, size.windows, reported) for reported in (True, False)
    )
    betas = found.part("betas", lambda: choose_betas(model, unseen, length))
    for typed, times in typed_scalings(betas).items():
        lengths = [round(n * length) for n in times]
        told(f"seed {recipe.seed}: losses under {typed}")
        found.part(f"losses {typed}", lambda t=typed, n=lengths: listed(losses_under(model, t, windows, n)))
    for s in (2, 4, 8):
        told(f"seed {recipe.seed}: attention factors at s = {s}")
        found.part(f"factors {s}", lambda s=s: sweep(model, windows, s, length, betas))
    told(f"seed {recipe.seed}: fits")
    found.part("fits", lambda: {str(s): fitted(model, unseen, s, length, betas) for s in (4, 8)})
    found.part("difficulty", lambda: difficulty_of(model, windows, length, recipe.seed))
    if size.tune_steps:
        retrieval_and_tunes(model, corpus, recipe, size, found, told, cache, windows, betas)


def sweep(model: Any, windows: Any, s: int, length: int, betas: str) -> dict[str, list[float]]:
    """The loss at s L for each attention factor."""
    factors = (0.9, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.4)
    found = {}
    for factor in factors:
        typed = f"yarn:{s},attention_factor={factor},{betas}"
        found[str(factor)] = listed(losses_under(model, typed, windows, [s * length]))[str(s * length)]
    return found


def fitted(model: Any, windows: Windows, s: int, length: int, betas: str) -> dict[str, Any]:
    """What `yarncore.evaluate` recommends at s L, from files that choose."""
    scaling = parse_scaling(f"yarn:{s},{betas}", length)
    texts = [text.astype(np.int64) for text in windows.texts]
    asked = {"length": s * length, "stride": windows.targets, "windows": 1}
    factor = fit_attention_factor(model, texts, scaling, **asked)
    ramp = fit_thresholds(model, texts, scaling, beta_fast=(2, 4, 8, 16, 32), beta_slow=(0.5, 1), **asked)
    return {
        "best": factor.best,
        "interval": factor.interval,
        "thresholds": {"best": ramp.best, "interval": ramp.interval},
    }


def difficulty_of(model: Any, windows: Any, length: int, seed: int) -> dict[str, Any]:
    """The rung of the ladder that plain RoPE solves in 85 to 97 % at L; none where it is not learned, or too easy."""
    shares = []
    for rung, difficulty in enumerate(LADDER):
        share = float(retrieved_under(model, "plain", windows, [length], difficulty, seed)[length].mean())
        shares.append(share)
        if 0.85 <= share <= 0.97:
            return {"rung": rung, "shares": shares}
        if share < 0.85:
            break
    return {"rung": None, "shares": shares}


def retrieval_and_tunes(
    model: Any,
    corpus: Corpus,
    recipe: Recipe,
    size: Size,
    found: Measured,
    told: Any,
    cache: Path,
    windows: Any,
    betas: str,
) -> None:
    """Short fine-tunes at 4 L, and retrieval before and after where the lookup was learned."""
    length, rung = recipe.length, found["difficulty"]["rung"]
    lengths = [length, 2 * length, 4 * length, 8 * length]

    def retrieval(of: Any, typed: str) -> dict[str, list[float]]:
        return listed(retrieved_under(of, typed, windows, lengths, LADDER[rung], recipe.seed))

    for typed in (f"yarn:4,{betas}", f"yarn:8,{betas}", "ntk:8", "pi:8", SLOW_ONE):
        path = cache / f"{recipe.key(corpus)}-{typed.replace(':', '-')}-{size.tune_steps}.pt"
        tuned = partial(fine_tune, model, corpus, recipe, typed, 4 * length, size.tune_steps, path, told)
        found.part(f"tuned {typed}", lambda t=typed, m=tuned: listed(losses_under(m(), t, windows, lengths)))
        if rung is not None:
            found.part(f"retrieved {typed}", partial(retrieval, model, typed))
            found.part(f"retrieved tuned {typed}", lambda t=typed, m=tuned: retrieval(m(), t))
    if rung is not None:
        for typed in ("plain", f"ntk-by-parts:8,{betas}", f"dynamic-yarn,{betas}"):
            told(f"seed {recipe.seed}: retrieval under {typed}")
            found.part(f"retrieved {typed}", partial(retrieval, model, typed))


def gathered(found: dict[str, Any], curve: list[dict[str, float]]) -> dict[str, Any]:
    """The parts by what they are, for the judge."""
    made: dict[str, Any] = {"losses": {}, "factors": {}, "tuned": {}, "retrieved": {}, "retrieved_tuned": {}}
    prefixes = {
        "retrieved tuned ": "retrieved_tuned",
        **{f"{kind} ": kind for kind in ("losses", "factors", "tuned", "retrieved")},
    }
    for name, value in found.items():
        prefix = next((each for each in prefixes if name.startswith(each)), None)
        if prefix is not None:
            made[prefixes[prefix]][name.removeprefix(prefix)] = value
    shares = ", ".join(f"{share:.0%}" for share in found["difficulty"]["shares"])
    made["lookup"] = (
        f"plain RoPE at L answers {shares} of the questions, the easiest first; "
        f"the loss of the answers ends at {curve[-1]['lookup']:.2f} nats"
    )
    return made | {"betas": found["betas"], "difficulty": found["difficulty"], "fits": found["fits"], "curve": curve}
