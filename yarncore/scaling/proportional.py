"""Proportional RoPE (Gemma 4): part of the pairs of the whole head turn, the others stand still."""

from dataclasses import dataclass

from yarncore._arguments import real_number
from yarncore.frameworks.framework import Array, Namespace
from yarncore.scaling.scaling import ScaledFrequencies, Scaling, real, unscaled


@dataclass(frozen=True, slots=True, repr=False)
class Proportional(Scaling):
    """The first part of the pairs keep their frequency, which counts the whole head; the rest have frequency 0.

    Unlike a smaller rotary_dim, pairs are (i, i + head_dim / 2) of the whole head and the exponent is 2i / head_dim.
    Source: transformers, modeling_rope_utils.py, `_compute_proportional_rope_parameters`.

    Parameters
    ----------
    partial_rotary_factor : float
        The part that turns, in (0, 1]: int(partial_rotary_factor * head_dim // 2) pairs.
    factor : float
        Divides every frequency, >= 1.
    """

    partial_rotary_factor: float
    factor: float = 1.0

    def __post_init__(self) -> None:
        part = real_number("partial_rotary_factor", self.partial_rotary_factor, above=0)
        if part > 1:
            raise ValueError(f"partial_rotary_factor is {part!r}; at most 1 is expected")
        object.__setattr__(self, "partial_rotary_factor", part)
        object.__setattr__(self, "factor", real_number("factor", self.factor, at_least=1))

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        theta = real(xp, inverse_frequencies)
        pairs = theta.shape[-1]
        turning = int(self.partial_rotary_factor * (2 * pairs) // 2)
        index = xp.arange(pairs, dtype=theta.dtype)
        s = real(xp, self.factor)
        return unscaled(xp, xp.where(index < turning, theta / s, xp.zeros_like(theta)), s)
