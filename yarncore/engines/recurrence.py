"""Angles as ggml makes them: theta multiplied by b^(-2/d) pair after pair, in float32.

Source: ggml-org/llama.cpp at ggml d99724f2, ggml/src/ggml-cpu/ops.cpp, `ggml_rope_cache_init` and `rope_yarn`, and
`ggml_rope_yarn_corr_dims` of ggml.c. A build whose compiler fuses products into sums may differ in the last bit of a blended pair.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.engines.frequencies import enlarged_base, power
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
)
from yarncore.scaling.ntk_by_parts import Parts
from yarncore.scaling.scaling import length_ratio

Float32 = npt.NDArray[np.float32]
_ONE = np.float32(1)


def angles(rope: Rope, positions: Float32, length: int | None) -> Float32:
    """Radians, shape (*positions.shape, pairs).

    Raises
    ------
    ValueError
        Where ggml cannot compute the Rope.
    """
    scaling = rope.scaling
    tokens: Any = length
    if isinstance(scaling, NTKByParts):
        return _turned(rope, positions, scaling.factor, scaling.parts)
    if isinstance(scaling, DynamicYaRN):
        tokens = scaling.original_length if length is None else length
        return _turned(rope, positions, float(scaling._scale(tokens, np)), scaling.parts)
    if isinstance(scaling, PositionInterpolation):
        return _turned(rope, positions, scaling.factor)
    if isinstance(scaling, DynamicPositionInterpolation):
        return _turned(rope, positions, float(length_ratio(np, tokens, scaling.original_length)))
    if isinstance(scaling, (Llama3, LongRoPE)):
        return _turned(rope, positions, divisors=_divisors(rope, scaling, length))
    if isinstance(scaling, (NTKAware, DynamicNTK)):
        ratio = scaling.factor
        if isinstance(scaling, DynamicNTK):
            ratio = ratio * float(length_ratio(np, tokens, scaling.original_length)) - (ratio - 1)
        return _turned(rope, positions, base=enlarged_base(rope, ratio))
    if scaling is None:
        return _turned(rope, positions)
    raise ValueError(f"rope has {type(scaling).__name__}, which ggml does not compute")


def _turned(
    rope: Rope,
    positions: Float32,
    factor: float = 1.0,
    parts: Parts | None = None,
    divisors: Float32 | None = None,
    base: float | None = None,
) -> Float32:
    pairs = rope.rotary_dim // 2
    exponent = np.array([np.float32(-2) / np.float32(rope.rotary_dim)])
    multiplier = power(rope.base if base is None else base, exponent, np)[0]
    frequency_scale = _ONE / np.float32(factor)
    kept = np.zeros(pairs, dtype=np.float32) if parts is None else _kept(rope, parts)
    theta, made = positions.astype(np.float32), []
    for pair in range(pairs):
        own = theta if divisors is None else theta / divisors[pair]
        interpolated = frequency_scale * own
        blended = interpolated * (_ONE - kept[pair]) + own * kept[pair]
        made.append(interpolated if parts is None or factor == 1 else blended)
        theta = theta * multiplier
    return np.stack(made, axis=-1)


def _kept(rope: Rope, parts: Parts) -> Float32:
    """`rope_yarn_ramp` between the bounds of `ggml_rope_yarn_corr_dims`, in C's floats."""
    if parts.ramp != "dimension" or not parts.truncate:
        raise ValueError(f"rope has {parts!r}; ggml rounds the bounds of its ramp, which is one by dimension")
    dim, two_pi = np.float32(rope.rotary_dim), np.float32(2 * np.float32(math.pi))

    def pair(beta: float) -> np.float32:
        turns = np.float32(parts.original_length) / (np.float32(beta) * two_pi)
        return dim * np.float32(np.log(np.float64(turns))) / (2 * np.float32(np.log(np.float64(np.float32(rope.base)))))

    low = max(np.float32(0), np.floor(pair(parts.beta_fast)))
    high = min(np.float32(rope.rotary_dim - 1), np.ceil(pair(parts.beta_slow)))
    index = np.arange(rope.rotary_dim // 2, dtype=np.float32)
    ramp = (index - low) / max(np.float32(0.001), high - low)
    kept: Float32 = _ONE - np.clip(ramp, np.float32(0), _ONE)
    return kept


def _divisors(rope: Rope, scaling: Llama3 | LongRoPE, length: int | None) -> Float32:
    """The tensor rope_freqs (Llama 3) or rope_factors_short and _long, as the converter writes them."""
    if isinstance(scaling, LongRoPE):
        long = length is not None and length > scaling.original_length
        return np.array(scaling.long_factor if long else scaling.short_factor, dtype=np.float32)
    kept = scaling.precompute(Rope(rope.rotary_dim, rope.base).inverse_frequencies)
    return (1 / ((1 - kept) / scaling.factor + kept)).astype(np.float32)
