"""cos and sin of float32 phases."""

from typing import Any, Literal

import numpy as np

from yarncore._arguments import one_of, token_count
from yarncore.engines import frequencies, recurrence
from yarncore.frameworks.expressions import constant, namespace_of
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import is_array, of, of_namespace
from yarncore.rope.rope import Rope

Phase = Literal["float32-product", "float32-recurrence"]
PositionType = Literal["float32", "bfloat16", "float16"]
_PHASES = ("float32-product", "float32-recurrence")
_POSITION_TYPES = ("float32", "bfloat16", "float16")


def angles(
    rope: Rope,
    positions: Any,
    *,
    phase: Phase = "float32-product",
    length: int | None = None,
    inverse_frequencies: Any = None,
    position_type: PositionType = "float32",
) -> Array:
    """The phases of an engine, in float32, bit for bit.

    Parameters
    ----------
    rope : Rope
    positions : array or sequence of int or float, shape (...)
        In tokens. A torch tensor: what is computed in torch there is computed in torch here.
    phase : "float32-product" or "float32-recurrence", keyword-only
        "float32-product": a float32 position times a float32 frequency, as transformers, vLLM, SGLang, Megatron and most others.
        "float32-recurrence": the position multiplied by b^(-2/d) pair after pair, as ggml on the CPU (llama.cpp).
    length : int, optional, keyword-only
        For scalings that look at it.
    inverse_frequencies : array, shape (pairs,), optional, keyword-only
        An engine's own, for "float32-product". None: computed as transformers does.
    position_type : "float32", "bfloat16" or "float16", keyword-only
        What positions were rounded to before, as where they take the type of a model's activations.

    Returns
    -------
    float32 array, shape (*positions.shape, pairs), of the framework of positions

    Raises
    ------
    TypeError, ValueError
        Naming the argument; also where no engine is known to compute the Rope so.

    Notes
    -----
    Through NumPy each power is the nearest float32, from which torch's differs by an ulp in about one frequency in a hundred:
    give positions as a torch tensor, or the engine's own inverse_frequencies, where the last bit counts.
    """
    if not isinstance(rope, Rope):
        raise TypeError(f"rope is {type(rope).__name__}; a Rope is expected")
    one_of("phase", phase, _PHASES)
    one_of("position_type", position_type, _POSITION_TYPES)
    if rope.sections is not None:
        raise ValueError("rope has sections; take its tables section by section, from a Rope without any")
    tokens = None if length is None else token_count("length", length)
    if tokens is None and rope.scaling is not None and rope.scaling.needs_length:
        raise TypeError(f"length is required: {type(rope.scaling).__name__} looks at it")
    given = positions if is_array(positions) else np.asarray(positions)
    xp = namespace_of(given)
    rounded = _rounded(given, position_type, xp)
    if phase == "float32-recurrence":
        if inverse_frequencies is not None:
            raise ValueError(
                'inverse_frequencies is given, and phase="float32-recurrence" makes its own; None is expected'
            )
        return constant(xp, recurrence.angles(rope, of(rounded).on_host(rounded), tokens), xp.float32, given)
    if inverse_frequencies is None:
        theta = frequencies.inverse_frequencies(rope, tokens, xp, given)
    else:
        theta = _given(inverse_frequencies, rope.rotary_dim // 2, xp, given)
    return xp.expand_dims(rounded, axis=-1) * theta


def cos_sin(
    rope: Rope,
    positions: Any,
    *,
    phase: Phase = "float32-product",
    length: int | None = None,
    inverse_frequencies: Any = None,
    position_type: PositionType = "float32",
) -> tuple[Array, Array]:
    """The tables of cos and sin that an engine makes, attention factor included.

    For debugging an engine: rotate by them with `yc.rotate_by` and what is left of a difference is not the phase. A model gets
    exact phases from `Rope.rotate` and `Rope.cos_sin`.

    Parameters
    ----------
    rope, positions, phase, length, inverse_frequencies, position_type : as for `angles`

    Returns
    -------
    cos, sin : float32 arrays, shape (*positions.shape, pairs), of the framework of positions
        Of a torch tensor the bits of torch, which transformers and vLLM have on the same device; else within an ulp.

    Examples
    --------
    >>> import yarncore as yc
    >>> rope = yc.Rope(128, 1e6, yc.YaRN(4, 32768))
    >>> cos, sin = yc.engines.cos_sin(rope, [131071])
    >>> exact, _ = rope.cos_sin([131071])
    >>> bool(abs(cos - exact).max() > 1e-3)
    True
    """
    phases = angles(
        rope,
        positions,
        phase=phase,
        length=length,
        inverse_frequencies=inverse_frequencies,
        position_type=position_type,
    )
    xp = namespace_of(phases)
    factor = float(rope.at(length).attention_factor)
    if of_namespace(xp).name == "numpy":
        wide = phases.astype(np.float64)  # NumPy's own float32 cosine is off by more than an ulp on some machines
        with np.errstate(invalid="ignore"):  # infinite positions have no cosine, as in an engine
            return tuple(f(wide).astype(np.float32) * np.float32(factor) for f in (np.cos, np.sin))
    return xp.cos(phases) * factor, xp.sin(phases) * factor


def _rounded(positions: Array, position_type: PositionType, xp: Namespace) -> Array:
    """Positions as float32, after the rounding that they had."""
    if not xp.isdtype(positions.dtype, ("integral", "real floating")):
        raise TypeError(f"positions has dtype {positions.dtype}; real numbers are expected")
    if position_type == "float32":
        return xp.astype(positions, xp.float32)
    single = xp.astype(positions, xp.float32)  # NumPy has no bfloat16
    return constant(xp, round_to(position_type, of(single).on_host(single)), xp.float32, positions)


def round_to(position_type: str, values: Any) -> Any:
    """Values rounded to a floating type, in float32 (float64 values are rounded to float32 first, as frameworks do)."""
    with np.errstate(over="ignore"):  # to infinity, as in a framework
        single = np.asarray(values).astype(np.float32)
        if position_type == "float32":
            return single
        if position_type == "float16":
            return single.astype(np.float16).astype(np.float32)
    bits = single.view(np.uint32)
    bits = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return bits.view(np.float32)


def _given(inverse_frequencies: Any, pairs: int, xp: Namespace, like: Array) -> Array:
    given = inverse_frequencies
    if not is_array(given):
        try:
            given = np.asarray(given)
        except ValueError as error:
            raise ValueError(f"inverse_frequencies makes no array: {error}") from None
    own = namespace_of(given)
    if not own.isdtype(given.dtype, ("integral", "real floating")):
        raise TypeError(f"inverse_frequencies has dtype {given.dtype}; real numbers are expected")
    theta = own.astype(given, own.float32)  # before it leaves its framework: NumPy has no bfloat16
    if own is not xp:
        theta = constant(xp, of(theta).on_host(theta), xp.float32, like)
    if tuple(theta.shape) != (pairs,):
        raise ValueError(f"inverse_frequencies has shape {tuple(theta.shape)}; ({pairs},) is expected")
    return theta
