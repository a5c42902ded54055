"""O1 to O9, each judged by paired differences on the same targets: what was fixed before anything was measured."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

STATEMENTS = {
    "O1": "without fine-tuning, past L: YaRN < NTK-by-parts < PI in perplexity at s L (PI < plain is told apart)",
    "O2": "Dynamic-YaRN equals plain RoPE for l <= L, and is below Dynamic-PI for l > L",
    "O3": "a too large s costs a little inside the window and wins outside",
    "O4": "failure past s L is abrupt (at 1.5 s L)",
    "O5": "after a short fine-tune YaRN extends past the length it was tuned at (tuned at 4 L, holds at 8 L), NTK-aware does not",
    "O6": "without fine-tuning the optimum of the attention factor lies above 1, grows with s, near 0.1 ln s + 1",
    "O7": "YaRN < NTK-aware at equal s inside the window",
    "O8": "without a fine-tune retrieval is clearly worse than with a short one",
    "O9": "YaRN without its temperature is NTK-by-parts, is worse than YaRN, and moves towards NTK-aware",
}
# The paper's beta_slow, told apart: below 1, pairs of less than a turn within L are partly extrapolated.
SLOW_ONE = "yarn:8,beta_fast=4,beta_slow=1"
HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided at this size"
_CLEAR = 3.0  # standard errors of a paired difference


@dataclass
class Difference:
    """A difference of mean losses in nats, over the same windows: below 0, the first is better."""

    what: str
    mean: float
    error: float

    @property
    def z(self) -> float:
        if self.error == 0:
            return 0.0 if self.mean == 0 else math.copysign(math.inf, self.mean)
        return self.mean / self.error

    def __str__(self) -> str:
        return f"{self.what} {self.mean:+.4f} ± {self.error:.4f}"


@dataclass
class Verdict:
    """Of one statement on one model."""

    verdict: str
    numbers: list[str] = field(default_factory=list)


def paired(what: str, first: np.ndarray, second: np.ndarray) -> Difference:
    """first - second."""
    each = np.asarray(first) - np.asarray(second)
    return Difference(what, float(each.mean()), float(each.std(ddof=1) / math.sqrt(len(each))))


def all_below(differences: list[Difference]) -> Verdict:
    """Holds where each is clearly below 0, fails where one is clearly above."""
    numbers = [str(each) for each in differences]
    if any(each.z >= _CLEAR for each in differences):
        return Verdict(FAILS, numbers)
    return Verdict(HOLDS if all(each.z <= -_CLEAR for each in differences) else UNDECIDED, numbers)


class Judge:
    """The verdicts on one model.

    Parameters
    ----------
    found : dict
        What `run.py` measured of a seed: `losses` by scaling and length, `tuned` the same after fine-tunes, `factors` the
        sweep, `retrieved` and `retrieved_tuned`.
    length : int
        L.
    betas : str
        The options that were chosen for the ramp, as they are typed.
    """

    def __init__(self, found: dict[str, Any], length: int, betas: str) -> None:
        self.found, self.length, self.betas = found, length, betas

    def loss(self, scaling: str, times: float) -> np.ndarray:
        return np.array(self.found["losses"][scaling][str(round(times * self.length))])

    def ramp(self, name: str) -> str:
        return f"{name},{self.betas}" if self.betas else name

    def all(self) -> dict[str, Verdict]:
        judges: list[Callable[[], Verdict]] = [getattr(self, f"o{n}") for n in range(1, 10)]
        return {f"O{n}": judge() for n, judge in enumerate(judges, 1)}

    def o1(self) -> Verdict:
        yarn, parts, pi = (self.loss(name, 4) for name in (self.ramp("yarn:4"), self.ramp("ntk-by-parts:4"), "pi:4"))
        verdict = all_below([paired("YaRN - parts", yarn, parts), paired("parts - PI", parts, pi)])
        verdict.numbers.append(f"apart: {paired('PI - plain', pi, self.loss('plain', 4))}")
        return verdict

    def o2(self) -> Verdict:
        dynamic = self.ramp("dynamic-yarn")
        same = all((self.loss(dynamic, times) == self.loss("plain", times)).all() for times in (0.5, 1))
        past = all_below(
            [
                paired(f"Dynamic-YaRN - Dynamic-PI at {n} L", self.loss(dynamic, n), self.loss("dynamic-pi", n))
                for n in (2, 4, 8)
            ]
        )
        numbers = [f"equal to plain to the last bit up to L: {same}", *past.numbers]
        return Verdict(past.verdict if same else FAILS, numbers)

    def o3(self) -> Verdict:
        four, eight = self.ramp("yarn:4"), self.ramp("yarn:8")
        inside = paired("s = 4 - s = 8 at L", self.loss(four, 1), self.loss(eight, 1))
        outside = paired("s = 8 - s = 4 at 8 L", self.loss(eight, 8), self.loss(four, 8))
        return all_below([inside, outside])

    def o4(self) -> Verdict:
        numbers, verdicts = [], []
        for s in (2, 4):
            typed = self.ramp(f"yarn:{s}")
            at, past = self.loss(typed, s), self.loss(typed, 1.5 * s)
            numbers.append(
                f"s = {s}: perplexity {math.exp(at.mean()):.3f} at s L, {math.exp(past.mean()):.3f} at 1.5 s L"
            )
            verdicts.append(past.mean() - at.mean() >= math.log(1.2))  # a fifth more within half a length
        twice = self.loss(self.ramp("yarn:4"), 8) - self.loss(self.ramp("yarn:4"), 4)
        numbers.append(f"apart, s = 4 at 2 s L: perplexity {math.expm1(twice.mean()):+.0%}")
        return Verdict(HOLDS if all(verdicts) else FAILS, numbers)

    def o5(self) -> Verdict:
        if not {self.ramp("yarn:8"), "ntk:8"} <= set(self.found["tuned"]):
            return Verdict(UNDECIDED, ["no fine-tune was run"])
        rises = {}
        for name, typed in (
            ("YaRN", self.ramp("yarn:8")),
            ("NTK-aware", "ntk:8"),
            ("apart, YaRN with beta_slow = 1", SLOW_ONE),
        ):
            if typed not in self.found["tuned"]:
                continue
            tuned = {key: np.array(value) for key, value in self.found["tuned"][typed].items()}
            rises[name] = paired(f"{name}: 8 L - 4 L", tuned[str(8 * self.length)], tuned[str(4 * self.length)])
        ratio = {name: math.expm1(each.mean) for name, each in rises.items()}
        numbers = [f"{each}, perplexity {ratio[name]:+.1%}" for name, each in rises.items()]
        return Verdict(HOLDS if ratio["YaRN"] <= 0.05 < ratio["NTK-aware"] else FAILS, numbers)

    def o6(self) -> Verdict:
        best = {}
        for s, sweep in self.found["factors"].items():
            means = {float(factor): float(np.mean(loss)) for factor, loss in sweep.items()}
            best[int(s)] = min(means, key=means.__getitem__)
        numbers = [f"s = {s}: {factor:.2f} (0.1 ln s + 1 = {0.1 * math.log(s) + 1:.3f})" for s, factor in best.items()]
        values = [best[s] for s in sorted(best)]
        near = all(abs(factor - 0.1 * math.log(s) - 1) <= 0.11 for s, factor in best.items())
        grows = values == sorted(values) and values[-1] > values[0]
        return Verdict(HOLDS if near and grows and min(values) > 1 else FAILS, numbers)

    def o7(self) -> Verdict:
        return all_below(
            [paired(f"s = {s} at L", self.loss(self.ramp(f"yarn:{s}"), 1), self.loss(f"ntk:{s}", 1)) for s in (4, 8)]
        )

    def o8(self) -> Verdict:
        if not self.found.get("retrieved"):
            return Verdict(UNDECIDED, [self.found["lookup"]])
        numbers, clear = [], []
        for typed, before in self.found["retrieved"].items():
            after = self.found["retrieved_tuned"].get(typed)
            if after is None or not typed.startswith("yarn"):
                continue
            s = int(typed.partition(":")[2].partition(",")[0])
            here = str(s * self.length)
            difference = paired(f"{typed} at {s} L: not tuned - tuned", before[here], after[here])
            numbers.append(str(difference))
            clear.append(difference)
        return Verdict(all_below(clear).verdict, numbers)

    def o9(self) -> Verdict:
        yarn, parts, ntk = self.ramp("yarn:4"), self.ramp("ntk-by-parts:4"), "ntk:4"
        worse = all_below([paired(f"YaRN - parts at {n} L", self.loss(yarn, n), self.loss(parts, n)) for n in (1, 4)])
        bare = self.ramp("yarn:4,attention_factor=1")
        same = bool((self.loss(bare, 4) == self.loss(parts, 4)).all())
        # Towards NTK-aware: nearer to it than YaRN is.
        gaps = [abs(self.loss(name, 4).mean() - self.loss(ntk, 4).mean()) for name in (yarn, parts)]
        numbers = [f"equal to NTK-by-parts: {same}", *worse.numbers]
        numbers.append(f"distance to NTK-aware at 4 L: YaRN {gaps[0]:.3f}, without {gaps[1]:.3f}")
        return Verdict(worse.verdict if same and gaps[1] < gaps[0] else FAILS, numbers)


def over_seeds(verdicts: list[str]) -> str:
    """One verdict of several models: they must agree, and the undecided are not counted against the others' agreement."""
    decided = {verdict for verdict in verdicts if verdict != UNDECIDED}
    if len(decided) == 1 and verdicts.count(UNDECIDED) <= len(verdicts) // 2:
        return decided.pop()
    return UNDECIDED
