"""The scaling of Llama 3.1 and its successors."""

import decimal
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from yarncore._arguments import real_number, stretch, token_count
from yarncore.frameworks.framework import Array, Namespace
from yarncore.scaling.scaling import ScaledFrequencies, Scaling, real, unscaled
from yarncore.scaling.turns_within import log_turns_within, precisely


@dataclass(frozen=True, slots=True, repr=False)
class Llama3(Scaling):
    """Llama 3.1's scaling: a ramp between two numbers of turns within L, and no temperature.

    Source: meta-llama/llama-models, models/llama3/reference_impl/model.py, `apply_scaling`; transformers,
    modeling_rope_utils.py, `_compute_llama3_parameters`.

    Parameters
    ----------
    factor : float
        s >= 1.
    original_length : int
        L in tokens.
    low_freq_factor, high_freq_factor : float, keyword-only
        Turns within L: below low_freq_factor a pair is divided by s, above high_freq_factor it is kept. Equal values
        (Llama 4 Scout) leave no ramp.
    """

    factor: float
    original_length: int
    _: KW_ONLY
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "original_length", token_count("original_length", self.original_length))
        object.__setattr__(self, "factor", stretch("factor", self.factor))
        low = real_number("low_freq_factor", self.low_freq_factor, above=0)
        high = real_number("high_freq_factor", self.high_freq_factor, above=0)
        if low > high:
            raise ValueError(
                f"low_freq_factor is {low!r} and high_freq_factor is {high!r}; low_freq_factor <= high_freq_factor "
                "is expected (exchanged?)"
            )
        object.__setattr__(self, "low_freq_factor", low)
        object.__setattr__(self, "high_freq_factor", high)

    def precompute(self, inverse_frequencies: Array) -> npt.NDArray[np.float64]:
        """How much of each pair's own frequency is kept: (turns within L - low) / (high - low), within 0 and 1."""
        low, high = Decimal(self.low_freq_factor), Decimal(self.high_freq_factor)
        with decimal.localcontext(precisely()):
            turns = [log_r.exp() for log_r in log_turns_within(self.original_length, inverse_frequencies)]
            return np.array([float(1 if r > high else 0 if r <= low else (r - low) / (high - low)) for r in turns])

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        s = real(xp, self.factor)
        theta = real(xp, inverse_frequencies)
        smooth = real(xp, self.precompute(inverse_frequencies) if precomputed is None else precomputed)
        return unscaled(xp, xp.where(s > 1.0, (1.0 - smooth) * theta / s + smooth * theta, theta), s)
