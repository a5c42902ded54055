"""The scaling of Llama 3.1 and its successors."""

import math
from dataclasses import KW_ONLY, dataclass

from yarncore.arguments import real_number, token_count
from yarncore.namespaces import Array, Namespace
from yarncore.scaling.scaling import ScaledFrequencies, Scaling, real, unscaled


@dataclass(frozen=True, slots=True)
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
        object.__setattr__(self, "factor", real_number("factor", self.factor, at_least=1))
        object.__setattr__(self, "original_length", token_count("original_length", self.original_length))
        low = real_number("low_freq_factor", self.low_freq_factor, above=0)
        high = real_number("high_freq_factor", self.high_freq_factor, above=0)
        if low > high:
            raise ValueError(
                f"low_freq_factor is {low!r} and high_freq_factor is {high!r}; low_freq_factor <= high_freq_factor "
                "is expected (exchanged?)"
            )
        object.__setattr__(self, "low_freq_factor", low)
        object.__setattr__(self, "high_freq_factor", high)

    def at(self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace) -> ScaledFrequencies:
        s = real(xp, self.factor)
        theta = real(xp, inverse_frequencies)
        rotations = self.original_length * theta / (2 * math.pi)
        low, high = self.low_freq_factor, self.high_freq_factor
        smooth = (rotations - low) / (high - low or 1.0)
        blended = (1.0 - smooth) * theta / s + smooth * theta
        scaled = xp.where(rotations > high, theta, xp.where(rotations < low, theta / s, blended))
        return unscaled(xp, scaled if self.factor != 1.0 else theta, s)
