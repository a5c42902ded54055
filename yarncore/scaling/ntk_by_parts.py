"""NTK-by-parts: fast pairs are kept, slow pairs interpolated, a ramp between."""

import decimal
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
import numpy.typing as npt

from yarncore._arguments import boolean, one_of, real_number, stretch, token_count
from yarncore.frameworks.framework import Array, Namespace
from yarncore.scaling.scaling import ScaledFrequencies, Scaling, per_pair, real, unscaled
from yarncore.scaling.turns_within import log_turns_within, precisely

Ramp = Literal["dimension", "rotations"]

_NO_RAMP = Decimal("0.001")  # the width where both bounds are the same: a step one pair wide (the authors' code)


@dataclass(frozen=True, slots=True, repr=False)
class Parts:
    """Which pairs are kept and which are interpolated; the ramp between two numbers of turns within L.

    Attributes
    ----------
    original_length : int
        L in tokens.
    beta_fast, beta_slow : float
        Turns within L. A pair that turns more than beta_fast times is kept, fewer than beta_slow times divided by s
        (beta and alpha of the paper).
    truncate : bool
        Round the bounds of the ramp outwards to whole pairs, as the authors' code does (only ramp="dimension").
    ramp : "dimension" or "rotations"
        Linear in the pair's index (the authors' code and every published checkpoint) or in its number of turns
        within L (the paper's text).
    """

    original_length: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    ramp: Ramp = "dimension"

    def ramp_weight(self, inverse_frequencies: Array) -> npt.NDArray[np.float64]:
        """gamma: how much of each pair's own frequency is kept, 1 kept, 0 interpolated. Shape (pairs,)."""
        ramp = self._by_rotations if self.ramp == "rotations" else self._by_dimension
        with decimal.localcontext(precisely()):
            weights = ramp(log_turns_within(self.original_length, inverse_frequencies))
            return np.array([float(min(max(weight, Decimal(0)), Decimal(1))) for weight in weights])

    def _by_rotations(self, log_turns: list[Decimal]) -> list[Decimal]:
        """gamma(r) of eq. 18, arXiv:2309.00071v2, r the number of turns within L."""
        alpha, beta = Decimal(self.beta_slow), Decimal(self.beta_fast)
        width = beta - alpha or _NO_RAMP
        return [(log_r.exp() - alpha) / width for log_r in log_turns]

    def _by_dimension(self, log_turns: list[Decimal]) -> list[Decimal]:
        """The ramp of jquesnelle/yarn, scaled_rope/LlamaYaRNScaledRotaryEmbedding.py (`_yarn_linear_ramp_mask`)."""
        pairs = len(log_turns)
        if pairs == 1:
            return [Decimal(1)]  # the bounds are clamped to >= 0: pair 0 is always kept
        # The index whose pair turns `beta` times within L: the straight line of ln r solved for i.
        slope = (log_turns[-1] - log_turns[0]) / (pairs - 1)
        low, high = ((Decimal(beta).ln() - log_turns[0]) / slope for beta in (self.beta_fast, self.beta_slow))
        if self.truncate:
            low, high = low.to_integral_value(decimal.ROUND_FLOOR), high.to_integral_value(decimal.ROUND_CEILING)
        last = Decimal(2 * pairs - 1)  # the authors clamp to d - 1, though indices end at d/2 - 1
        low, high = (min(max(bound, Decimal(0)), last) for bound in (low, high))
        width = high - low or _NO_RAMP
        return [1 - (i - low) / width for i in range(pairs)]


def blend(theta: Array, s: Array, gamma: Array, xp: Namespace) -> Array:
    """(1 - gamma) theta / s + gamma theta: eq. 19, arXiv:2309.00071v2. s = 1 gives theta itself, bit for bit."""
    s = per_pair(xp, s)
    return xp.where(s > 1.0, (1.0 - gamma) * theta / s + gamma * theta, theta)


def checked_parts(
    original_length: int, beta_fast: float, beta_slow: float, truncate: bool, ramp: Ramp
) -> tuple[int, float, float, bool, Ramp]:
    """The values of Parts, checked and in their own types."""
    fast = real_number("beta_fast", beta_fast, above=0)
    slow = real_number("beta_slow", beta_slow, above=0)
    if fast < slow:
        raise ValueError(
            f"beta_fast is {beta_fast!r} and beta_slow is {beta_slow!r}; beta_fast >= beta_slow is expected "
            f"(exchanged? beta_fast={beta_slow!r}, beta_slow={beta_fast!r})"
        )
    one_of("ramp", ramp, ("dimension", "rotations"))
    return token_count("original_length", original_length), fast, slow, boolean("truncate", truncate), ramp


@dataclass(frozen=True, slots=True, repr=False)
class NTKByParts(Scaling):
    """NTK-by-parts interpolation (section 3.2 of arXiv:2309.00071v2), without a temperature.

    Parameters
    ----------
    factor : float
        s = target / original length, >= 1.
    original_length : int
        L in tokens.
    beta_fast, beta_slow : float, keyword-only
        Turns within L: a pair that turns more often than beta_fast is kept, less often than beta_slow interpolated.
    truncate : bool, keyword-only
        Round the ramp's bounds to whole pairs (authors' code: True; gpt-oss: False).
    ramp : "dimension" or "rotations", keyword-only
        Linear in the pair index (authors' code) or in the turns within L (the paper's text).
    """

    factor: float
    original_length: int
    _: KW_ONLY
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    ramp: Ramp = "dimension"

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", stretch("factor", self.factor))
        names = ("original_length", "beta_fast", "beta_slow", "truncate", "ramp")
        for name, value in zip(names, checked_parts(*(getattr(self, name) for name in names)), strict=True):
            object.__setattr__(self, name, value)

    def precompute(self, inverse_frequencies: Array) -> Array:
        return self.parts.ramp_weight(inverse_frequencies)

    @property
    def parts(self) -> Parts:
        """The ramp."""
        return Parts(self.original_length, self.beta_fast, self.beta_slow, self.truncate, self.ramp)

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        s = real(xp, self.factor)
        theta = real(xp, inverse_frequencies)
        gamma = real(xp, self.precompute(inverse_frequencies) if precomputed is None else precomputed)
        return unscaled(xp, blend(theta, s, gamma, xp), s)
