"""NTK-aware interpolation (bloc97): a larger base, and its dynamic form."""

from dataclasses import dataclass
from typing import ClassVar

from yarncore._arguments import real_number, token_count
from yarncore.frameworks.expressions import constant, widest_float
from yarncore.frameworks.framework import Array, Namespace
from yarncore.scaling.scaling import ScaledFrequencies, Scaling, length_ratio, per_pair, real, unscaled


def enlarge_base(inverse_frequencies: Array, s: Array, xp: Namespace) -> ScaledFrequencies:
    """theta_i of the base b s^(d / (d - 2)), which is theta_i s^(-2 i / (d - 2)) of the base b.

    Section 3.2 of arXiv:2309.00071v2. The first pair is kept, the last one is divided by s.
    """
    pairs = inverse_frequencies.shape[-1]
    exponent = [-i / max(pairs - 1, 1) for i in range(pairs)]
    exponents = constant(xp, exponent, widest_float(xp), like=s)
    return unscaled(xp, real(xp, inverse_frequencies, like=s) * per_pair(xp, s) ** exponents, s)


@dataclass(frozen=True, slots=True, repr=False)
class NTKAware(Scaling):
    """NTK-aware interpolation: base * factor^(d / (d - 2)), d the rotary dimension.

    Source: bloc97's post, as given in section 3.2 of arXiv:2309.00071v2.

    Parameters
    ----------
    factor : float
        s >= 1. In practice chosen larger than target / original length.
    """

    factor: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", real_number("factor", self.factor, at_least=1))

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        return enlarge_base(inverse_frequencies, real(xp, self.factor), xp)


@dataclass(frozen=True, slots=True, repr=False)
class DynamicNTK(Scaling):
    """NTK-aware interpolation that follows the length l beyond the original length L.

    base * (factor l / L - (factor - 1))^(d / (d - 2)); up to L nothing changes. Source: emozilla's post, as in
    transformers, modeling_rope_utils.py, `_compute_dynamic_ntk_parameters`.

    Parameters
    ----------
    original_length : int
        L in tokens.
    factor : float
        How fast the base grows, >= 1.
    """

    original_length: int
    factor: float
    needs_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "original_length", token_count("original_length", self.original_length))
        object.__setattr__(self, "factor", real_number("factor", self.factor, at_least=1))

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        ratio = length_ratio(xp, length, self.original_length)
        factor = real(xp, self.factor, like=ratio)
        return enlarge_base(inverse_frequencies, factor * ratio - (factor - 1.0), xp)

    def context_factor(self) -> float | None:
        return None
