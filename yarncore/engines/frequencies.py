"""Inverse frequencies in float32, in the order of operations of transformers and of the engines that took it over.

Source: huggingface/transformers 5.24.0, modeling_rope_utils.py; the function is named at each formula.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from yarncore.frameworks.expressions import constant
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import of_namespace
from yarncore.rope.rope import Rope
from yarncore.scaling import (
    DynamicNTK,
    DynamicPositionInterpolation,
    DynamicYaRN,
    Llama3,
    LongRoPE,
    NTKAware,
    NTKByParts,
    PositionInterpolation,
    Proportional,
    YaRN,
)
from yarncore.scaling.ntk_by_parts import Parts


def inverse_frequencies(rope: Rope, length: int | None, xp: Namespace, like: Array | None) -> Array:
    """Radians per token, shape (pairs,), float32.

    Raises
    ------
    ValueError
        Where no engine is known to compute the Rope in float32.
    """
    scaling = rope.scaling
    if scaling is None:
        return 1.0 / _powers(rope, xp, like)
    formula = _FORMULAS.get(type(scaling))
    if formula is None:
        raise ValueError(
            f"rope has {type(scaling).__name__}, whose float32 arithmetic in an engine is not known; give the engine's own "
            "inverse_frequencies"
        )
    found: Array = formula(rope, scaling, length, xp, like)
    return found


def power(base: float, exponents: Array, xp: Namespace) -> Array:
    """base^exponents, float32. In NumPy the nearest to the exact power, from which torch differs now and then by an ulp."""
    if of_namespace(xp).name == "numpy":
        return np.power(np.float64(np.float32(base)), exponents.astype(np.float64)).astype(np.float32)
    return base**exponents


def _powers(
    rope: Rope, xp: Namespace, like: Array | None, base: float | None = None, pairs: int | None = None
) -> Array:
    """base^(2i / rotary_dim), `LlamaRotaryEmbedding.compute_default_rope_parameters`."""
    dim = rope.rotary_dim
    index = constant(xp, np.arange(0, 2 * (dim // 2 if pairs is None else pairs), 2), xp.float32, like)
    return power(rope.base if base is None else base, index / dim, xp)


def _linear(rope: Rope, scaling: PositionInterpolation, length: int | None, xp: Namespace, like: Array | None) -> Array:
    """`_compute_linear_scaling_rope_parameters`."""
    return 1.0 / _powers(rope, xp, like) / scaling.factor


def _dynamic_linear(
    rope: Rope, scaling: DynamicPositionInterpolation, length: int | None, xp: Namespace, like: Array | None
) -> Array:
    """The same with s = length / original length."""
    return 1.0 / _powers(rope, xp, like) / _ratio(scaling.original_length, length)


def _ntk(rope: Rope, scaling: NTKAware, length: int | None, xp: Namespace, like: Array | None) -> Array:
    """Another base, in Python's floats as in `_compute_dynamic_ntk_parameters`."""
    return 1.0 / _powers(rope, xp, like, enlarged_base(rope, scaling.factor))


def _dynamic_ntk(rope: Rope, scaling: DynamicNTK, length: int | None, xp: Namespace, like: Array | None) -> Array:
    """`_compute_dynamic_ntk_parameters`, with a length that is a Python int."""
    tokens = max(scaling.original_length, length or 0)
    ratio = (scaling.factor * tokens / scaling.original_length) - (scaling.factor - 1)
    return 1.0 / _powers(rope, xp, like, enlarged_base(rope, ratio))


def enlarged_base(rope: Rope, ratio: float) -> float:
    """base * ratio^(d / (d - 2)), in Python's floats.

    Raises
    ------
    ValueError
        Where there is one pair.
    """
    dim = rope.rotary_dim
    if dim == 2:
        raise ValueError(
            f"rope has one pair, which {type(rope.scaling).__name__} leaves as it is and engines divide by zero for"
        )
    return float(rope.base * ratio ** (dim / (dim - 2)))


def _proportional(rope: Rope, scaling: Proportional, length: int | None, xp: Namespace, like: Array | None) -> Array:
    """`_compute_proportional_rope_parameters`."""
    pairs = rope.rotary_dim // 2
    turning = int(scaling.partial_rotary_factor * rope.rotary_dim // 2)
    still = constant(xp, np.zeros(pairs - turning), xp.float32, like)
    return xp.concat([1.0 / _powers(rope, xp, like, pairs=turning), still]) / scaling.factor


def _longrope(rope: Rope, scaling: LongRoPE, length: int | None, xp: Namespace, like: Array | None) -> Array:
    """`_compute_longrope_parameters`."""
    long = length is not None and length > scaling.original_length
    divisors = constant(xp, scaling.long_factor if long else scaling.short_factor, xp.float32, like)
    return 1.0 / (divisors * _powers(rope, xp, like))


def _llama3(rope: Rope, scaling: Llama3, length: int | None, xp: Namespace, like: Array | None) -> Array:
    """`_compute_llama3_parameters`."""
    low, high, factor = scaling.low_freq_factor, scaling.high_freq_factor, scaling.factor
    theta = 1.0 / _powers(rope, xp, like)
    wavelength = 2 * math.pi / theta
    slow, fast = wavelength > scaling.original_length / low, wavelength < scaling.original_length / high
    divided = xp.where(slow, theta / factor, theta)
    if low == high:
        return divided
    smooth = (scaling.original_length / wavelength - low) / (high - low)
    smoothed = (1 - smooth) * divided / factor + smooth * divided
    return xp.where(fast | slow, divided, smoothed)


def _yarn(rope: Rope, scaling: NTKByParts, length: int | None, xp: Namespace, like: Array | None) -> Array:
    return _blended(rope, scaling.parts, scaling.factor, xp, like)


def _dynamic_yarn(rope: Rope, scaling: DynamicYaRN, length: int | None, xp: Namespace, like: Array | None) -> Array:
    """As YaRN of the scale that the length has: nothing but its factor changes."""
    factor = float(scaling._scale(scaling.original_length if length is None else length, np))
    if factor <= 1:
        return 1.0 / _powers(rope, xp, like)
    return _blended(rope, scaling.parts, factor, xp, like)


def _blended(rope: Rope, parts: Parts, factor: float, xp: Namespace, like: Array | None) -> Array:
    """`_compute_yarn_parameters`."""
    if parts.ramp != "dimension":
        raise ValueError(
            f'rope has ramp={parts.ramp!r}, which no engine computes; ramp="dimension", or the inverse_frequencies of '
            "whoever computes it, are expected"
        )
    powers = _powers(rope, xp, like)
    low, high = correction_range(rope, parts)
    index = constant(xp, np.arange(rope.rotary_dim // 2), xp.float32, like)
    ramp = xp.clip((index - low) / (high - low), 0.0, 1.0)
    kept = 1 - ramp
    return 1.0 / (factor * powers) * (1 - kept) + 1.0 / powers * kept


def correction_range(rope: Rope, parts: Parts) -> tuple[float, float]:
    """Between which pairs the ramp lies: `find_correction_range`, in Python's floats."""
    dim = rope.rotary_dim

    def pair(beta: float) -> float:
        return (dim * math.log(parts.original_length / (beta * 2 * math.pi))) / (2 * math.log(rope.base))

    low, high = pair(parts.beta_fast), pair(parts.beta_slow)
    if parts.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    return (low, high + 0.001) if low == high else (low, high)


def _ratio(original_length: int, length: int | None) -> float:
    return max(1.0, (length or original_length) / original_length)


_FORMULAS: dict[type, Callable[..., Any]] = {
    PositionInterpolation: _linear,
    DynamicPositionInterpolation: _dynamic_linear,
    NTKAware: _ntk,
    DynamicNTK: _dynamic_ntk,
    Proportional: _proportional,
    LongRoPE: _longrope,
    Llama3: _llama3,
    NTKByParts: _yarn,
    YaRN: _yarn,
    DynamicYaRN: _dynamic_yarn,
}
