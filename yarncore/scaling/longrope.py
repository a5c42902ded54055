"""LongRoPE (Ding et al., arXiv:2402.13753) as Phi-3 and MiniCPM use it."""

import math
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from yarncore._arguments import real_number, stretch, token_count
from yarncore.frameworks.framework import Array, Namespace
from yarncore.scaling.scaling import ScaledFrequencies, Scaling, per_pair, real


@dataclass(frozen=True, slots=True, repr=False)
class LongRoPE(Scaling):
    """A divisor for each pair: one list up to the original length L, another beyond it.

    The attention factor is sqrt(1 + ln s / ln L) at every length. Source: transformers, modeling_rope_utils.py,
    `_compute_longrope_parameters` (which switches lists when the length exceeds L).

    Parameters
    ----------
    short_factor, long_factor : sequence of float, keyword-only
        rotary_dim / 2 divisors, finite and > 0.
    original_length : int, keyword-only
        L in tokens, >= 2.
    factor : float, keyword-only
        s = longest length / L, >= 1; it enters the attention factor only.
    attention_factor : float, optional, keyword-only
        Replaces the formula.
    """

    _: KW_ONLY
    short_factor: tuple[float, ...]
    long_factor: tuple[float, ...]
    original_length: int
    factor: float
    attention_factor: float | None = None
    needs_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("short_factor", "long_factor"):
            values = getattr(self, name)
            if isinstance(values, str) or not hasattr(values, "__iter__"):
                raise TypeError(f"{name} is {values!r}; a sequence of rotary_dim / 2 numbers is expected")
            checked = tuple(real_number(f"{name}[{i}]", value, above=0) for i, value in enumerate(values))
            object.__setattr__(self, name, checked)
        if len(self.short_factor) != len(self.long_factor) or not self.short_factor:
            raise ValueError(
                f"short_factor has {len(self.short_factor)} and long_factor {len(self.long_factor)} entries; "
                "rotary_dim / 2 each are expected"
            )
        length = token_count("original_length", self.original_length)
        if length < 2:
            raise ValueError(f"original_length is {length}; at least 2 is expected, since s is compared with ln L")
        object.__setattr__(self, "original_length", length)
        object.__setattr__(self, "factor", stretch("factor", self.factor))
        if self.attention_factor is not None:
            object.__setattr__(
                self, "attention_factor", real_number("attention_factor", self.attention_factor, above=0, below=2**53)
            )

    def check_pairs(self, pairs: int) -> None:
        if len(self.short_factor) != pairs:
            raise ValueError(
                f"short_factor and long_factor have {len(self.short_factor)} entries; rotary_dim / 2 = {pairs} are "
                "expected"
            )

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        lengths = real(xp, self.original_length if length is None else length, like=length)
        short, long = real(xp, self.short_factor, like=lengths), real(xp, self.long_factor, like=lengths)
        divisor = xp.where(per_pair(xp, lengths) > self.original_length, long, short)
        m = self.attention_factor or math.sqrt(1 + math.log(self.factor) / math.log(self.original_length))
        one = xp.ones_like(lengths)
        return ScaledFrequencies(real(xp, inverse_frequencies, like=lengths) / divisor, m * one, one)

    def step_lengths(self) -> tuple[int, ...]:
        return (self.original_length, self.original_length + 1)
