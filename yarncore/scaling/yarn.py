"""YaRN (Peng et al., arXiv:2309.00071v2) and Dynamic-YaRN.

With L the original length in tokens, s = target length / L, and theta_i the frequency of pair i in radians per token:

    r_i      = L theta_i / 2 pi                             how often the pair turns within L
    gamma_i  = ramp(r_i)                                    eq. 18: 1 above beta_fast turns, 0 below beta_slow
    theta'_i = (1 - gamma_i) theta_i / s + gamma_i theta_i  eq. 19: 1 keeps the pair, 0 interpolates it
    m        = 0.1 ln s + 1                                 eq. 22, there sqrt(1/t): on cos and sin of q and k alike

The first three lines are NTK-by-parts, and the ramp with its two readings stands in ntk_by_parts.py; the last line is
what makes it YaRN. `YaRN.at` is these lines for a given s, `DynamicYaRN.at` for s = max(1, length / L).
"""

import itertools
import math
import warnings
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal

from yarncore._arguments import real_number, stretch
from yarncore.errors import ConfigWarning
from yarncore.frameworks.framework import Array, Namespace
from yarncore.scaling.ntk_by_parts import NTKByParts, Parts, Ramp, blend, checked_parts
from yarncore.scaling.scaling import ScaledFrequencies, Scaling, length_ratio, real

_LARGEST_LENGTH = 2**53  # tokens; the steps of "doubling" go this far, and no temperature is larger


def temperature(s: Array, mscale: float, xp: Namespace) -> Array:
    """t(s, mscale) = 0.1 mscale ln s + 1, and 1 for s <= 1.

    With mscale = 1 the attention factor of YaRN, sqrt(1/t) in eq. 22 of arXiv:2309.00071v2. The multiplier is
    DeepSeek's (deepseek-ai/DeepSeek-V3, inference/model.py).
    """
    return xp.where(s > 1.0, real(xp, 0.1 * mscale, like=s) * xp.log(s) + 1.0, xp.ones_like(s))


def amplitudes(scaling: "YaRN | DynamicYaRN", s: Array, xp: Namespace) -> tuple[Array, Array]:
    """The attention factor m and the softmax scale factor k that go with the scale s."""
    mscale, mscale_all_dim = scaling.mscale, scaling.mscale_all_dim
    if scaling.attention_factor is not None:
        m = real(xp, scaling.attention_factor, like=s) * xp.ones_like(s)
    elif mscale is not None and mscale_all_dim is not None:
        m = temperature(s, mscale, xp) / temperature(s, mscale_all_dim, xp)
    else:
        m = temperature(s, 1.0, xp)
    k = xp.ones_like(s) if scaling.softmax_mscale is None else temperature(s, scaling.softmax_mscale, xp) ** 2
    return m, k


def _check_amplitudes(scaling: "YaRN | DynamicYaRN") -> None:
    for name, least in (("attention_factor", None), ("mscale", 0), ("mscale_all_dim", 0), ("softmax_mscale", 0)):
        value = getattr(scaling, name)
        if value is not None:
            bound = ({"above": 0} if least is None else {"at_least": least}) | {"below": _LARGEST_LENGTH}
            object.__setattr__(scaling, name, real_number(name, value, **bound))
    if scaling.attention_factor is None and (scaling.mscale is None) != (scaling.mscale_all_dim is None):
        given, absent = ("mscale", "mscale_all_dim") if scaling.mscale_all_dim is None else ("mscale_all_dim", "mscale")
        warnings.warn(
            f"{given} without {absent} does nothing: the attention factor is 0.1 ln s + 1", ConfigWarning, stacklevel=4
        )


@dataclass(frozen=True, slots=True, repr=False)
class YaRN(NTKByParts):
    """YaRN: NTK-by-parts, and an attention factor of 0.1 ln s + 1 on q and k alike (arXiv:2309.00071).

    Parameters
    ----------
    factor : float
        s = target / original length, >= 1.
    original_length : int
        L, the pretraining length in tokens.
    beta_fast, beta_slow : float, keyword-only
        Turns within L between which the ramp lies (beta and alpha of the paper).
    truncate : bool, keyword-only
        Round the ramp's bounds to whole pairs (authors' code: True; gpt-oss: False).
    ramp : "dimension" or "rotations", keyword-only
        Linear in the pair index (the authors' code, every published checkpoint) or in the turns within L (the paper).
    attention_factor : float, optional, keyword-only
        Replaces 0.1 ln s + 1.
    mscale, mscale_all_dim : float, optional, keyword-only
        Both given: the attention factor is t(s, mscale) / t(s, mscale_all_dim), t(s, a) = 0.1 a ln s + 1. 0 is a
        value: t(s, 0) = 1. One alone does nothing, and warns (transformers, `_compute_yarn_parameters`).
    softmax_mscale : float, optional, keyword-only
        softmax_scale_factor = t(s, softmax_mscale)^2 (DeepSeek-V2 and V3); 1 when absent.

    Notes
    -----
    Without the attention factor it would be NTK-by-parts, not YaRN. Where the whole ramp lies beyond the last pair
    or before the first, its bounds are clamped: every pair is kept, or every pair but the first is interpolated.
    """

    _: KW_ONLY
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    softmax_mscale: float | None = None

    def __post_init__(self) -> None:
        NTKByParts.__post_init__(self)
        _check_amplitudes(self)

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        s = real(xp, self.factor)
        theta = real(xp, inverse_frequencies)
        gamma = real(xp, self.precompute(inverse_frequencies) if precomputed is None else precomputed)
        m, k = amplitudes(self, s, xp)
        return ScaledFrequencies(blend(theta, s, gamma, xp), m, k)


@dataclass(frozen=True, slots=True, repr=False)
class DynamicYaRN(Scaling):
    """YaRN whose scale follows the length: s = max(1, length / original_length) (arXiv:2309.00071v2, section 3.3).

    Up to the original length it is plain RoPE, bit for bit.

    Parameters
    ----------
    original_length : int
        L in tokens.
    steps : None, "doubling" or a sequence of float, keyword-only
        None: s changes with every token. "doubling": s is rounded up to 1, 2, 4, ...; a sequence gives the steps.
        With steps, cached keys have to be re-rotated only when a step is taken.
    max_factor : float, optional, keyword-only
        s stays there beyond.
    beta_fast, beta_slow, truncate, ramp, attention_factor, mscale, mscale_all_dim, softmax_mscale : keyword-only
        As for YaRN. A given attention_factor applies where s > 1.
    """

    original_length: int
    _: KW_ONLY
    steps: Literal["doubling"] | tuple[float, ...] | None = None
    max_factor: float | None = None
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    ramp: Ramp = "dimension"
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    softmax_mscale: float | None = None
    needs_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        names = ("original_length", "beta_fast", "beta_slow", "truncate", "ramp")
        for name, value in zip(names, checked_parts(*(getattr(self, name) for name in names)), strict=True):
            object.__setattr__(self, name, value)
        if self.max_factor is not None:
            object.__setattr__(self, "max_factor", stretch("max_factor", self.max_factor))
        object.__setattr__(self, "steps", _checked_steps(self.steps, self.max_factor))
        _check_amplitudes(self)

    @property
    def parts(self) -> Parts:
        """The ramp."""
        return Parts(self.original_length, self.beta_fast, self.beta_slow, self.truncate, self.ramp)

    def precompute(self, inverse_frequencies: Array) -> Array:
        return self.parts.ramp_weight(inverse_frequencies)

    def _scale(self, length: Array | int | None, xp: Namespace) -> Array:
        ratio = length_ratio(xp, length, self.original_length)
        if self.steps is None:
            return ratio if self.max_factor is None else xp.clip(ratio, 1.0, self.max_factor)
        s = xp.ones_like(ratio)
        reached = 1.0
        for step in self._factors():
            s = xp.where(ratio > reached, real(xp, step, like=s), s)
            reached = step
        return s

    def _factors(self) -> tuple[float, ...]:
        """The steps above 1, in rising order."""
        if self.steps != "doubling":
            return self.steps or ()
        last = self.max_factor or 2.0 ** math.ceil(math.log2(_LARGEST_LENGTH / self.original_length))
        powers = [2.0**n for n in range(1, math.ceil(math.log2(last)))] if last > 1 else []
        return (*powers, last) if last > 1 else ()

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        s = self._scale(length, xp)
        theta = real(xp, inverse_frequencies, like=s)
        gamma = real(xp, self.precompute(inverse_frequencies) if precomputed is None else precomputed, like=s)
        m, k = amplitudes(self, s, xp)
        stretched, one = s > 1.0, xp.ones_like(s)
        return ScaledFrequencies(blend(theta, s, gamma, xp), xp.where(stretched, m, one), xp.where(stretched, k, one))

    def step_lengths(self) -> tuple[int, ...] | None:
        if self.steps is None:
            return None
        lengths = [self.original_length]
        for factor in self._factors():
            last_of_step = math.floor(factor * self.original_length)
            if last_of_step > lengths[-1]:
                lengths.append(last_of_step)
        return tuple(lengths)

    def context_factor(self) -> float | None:
        return self.max_factor


def _checked_steps(steps: Any, max_factor: float | None) -> Literal["doubling"] | tuple[float, ...] | None:
    if steps is None:
        return None
    if steps == "doubling":
        return "doubling"
    if isinstance(steps, str) or not hasattr(steps, "__iter__"):
        raise TypeError(f'steps is {steps!r}; None, "doubling" or a sequence of factors > 1 is expected')
    factors = tuple(real_number(f"steps[{i}]", step, above=1) for i, step in enumerate(steps))
    if not factors or any(a >= b for a, b in itertools.pairwise(factors)):
        raise ValueError(f"steps is {steps!r}; one or more rising factors > 1 are expected")
    if max_factor is not None and factors[-1] != max_factor:
        raise ValueError(f"the last of steps is {factors[-1]!r} and max_factor is {max_factor!r}; they are the same")
    return factors
