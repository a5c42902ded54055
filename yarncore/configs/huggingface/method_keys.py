"""scaling -> rope dict, the other way round than methods.py: the keys that transformers reads, and their values.

Source: transformers 5.24.0, modeling_rope_utils.py. To add a method: a function and a row in WRITTEN.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from yarncore.configs.nearest import Vocabulary, nearest
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
from yarncore.scaling import (
    DynamicNTK,
    Llama3,
    LongRoPE,
    NTKAware,
    NTKByParts,
    PositionInterpolation,
    Proportional,
    YaRN,
)
from yarncore.scaling.scaling import Scaling

_VOCABULARY = Vocabulary(
    "a scale that follows the length by itself (its own dynamic method is NTK-aware, and counts from "
    "max_position_embeddings)"
)


@dataclass(frozen=True, slots=True)
class Written:
    """A rope dict without its base, the base, and what could not be said.

    Attributes
    ----------
    keys : dict
    base : float
    scaling : Scaling or None
        That which was written.
    given_up : str
        "" where nothing was.
    """

    keys: dict[str, Any]
    base: float
    scaling: Scaling | None
    given_up: str


def written(rope: Rope, length: int | None, softmax_by_key: bool) -> Written:
    """The keys of a Rope's scaling, or of the nearest that transformers has.

    Parameters
    ----------
    length : int or None
        Tokens to be served, for scalings that do not end by themselves.
    softmax_by_key : bool
        The model multiplies its logits by t(s, mscale_all_dim)^2.

    Raises
    ------
    ConfigError
        Where there is nothing near.
    """
    if rope.scaling is None:
        return Written({"rope_type": "default"}, rope.base, None, "")
    scaling, given_up = nearest(rope.scaling, length, _VOCABULARY)
    near = replace(rope, scaling=scaling)
    method = WRITTEN.get(type(scaling))
    if method is None:
        raise ConfigError(f"transformers has nothing near {type(scaling).__name__}")
    keys = method(near, scaling, softmax_by_key)
    return Written(keys, _enlarged_base(near) if isinstance(scaling, NTKAware) else rope.base, scaling, given_up)


def part_that_turns(rope: Rope) -> float:
    """A partial_rotary_factor for which int(head_dim * factor) is rotary_dim."""
    factor = rope.rotary_dim / rope.head_dim
    return factor if int(rope.head_dim * factor) == rope.rotary_dim else (rope.rotary_dim + 0.5) / rope.head_dim


def _enlarged_base(rope: Rope) -> float:
    """NTK-aware interpolation is a larger base: b s^(d / (d - 2))."""
    assert isinstance(rope.scaling, NTKAware)
    if rope.rotary_dim == 2:
        return rope.base
    try:
        return math.exp(math.log(rope.base) + rope.rotary_dim / (rope.rotary_dim - 2) * math.log(rope.scaling.factor))
    except OverflowError:
        raise ConfigError(f"the base that {rope.scaling!r} makes of {rope.base:g} is no float64") from None


def _linear(rope: Rope, scaling: PositionInterpolation, softmax_by_key: bool) -> dict[str, Any]:
    return {"rope_type": "linear", "factor": scaling.factor}


def _plain(rope: Rope, scaling: NTKAware, softmax_by_key: bool) -> dict[str, Any]:
    return {"rope_type": "default"}


def _dynamic(rope: Rope, scaling: DynamicNTK, softmax_by_key: bool) -> dict[str, Any]:
    return {"rope_type": "dynamic", "factor": scaling.factor}


def _by_parts(rope: Rope, scaling: NTKByParts, softmax_by_key: bool) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "rope_type": "yarn",
        "factor": scaling.factor,
        "original_max_position_embeddings": scaling.original_length,
        "beta_fast": scaling.beta_fast,
        "beta_slow": scaling.beta_slow,
    }
    if not scaling.truncate:
        keys["truncate"] = False
    if not isinstance(scaling, YaRN):
        return keys | {"attention_factor": 1.0}
    return keys | _temperature(rope, scaling, softmax_by_key)


def _temperature(rope: Rope, scaling: YaRN, softmax_by_key: bool) -> dict[str, Any]:
    """attention_factor, and the two numbers of which it is made where transformers makes the same of them."""
    keys: dict[str, Any] = {}
    on_softmax = scaling.softmax_mscale if softmax_by_key else None
    both = scaling.mscale is not None and scaling.mscale_all_dim is not None
    pair = scaling.mscale and scaling.mscale_all_dim and (not softmax_by_key or scaling.mscale_all_dim == on_softmax)
    if pair:
        keys = {"mscale": scaling.mscale, "mscale_all_dim": scaling.mscale_all_dim}
    elif on_softmax:
        keys["mscale_all_dim"] = on_softmax
    if scaling.attention_factor is not None or (both and not pair):
        keys["attention_factor"] = float(rope.at().attention_factor)
    return keys


def _longrope(rope: Rope, scaling: LongRoPE, softmax_by_key: bool) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "rope_type": "longrope",
        "short_factor": list(scaling.short_factor),
        "long_factor": list(scaling.long_factor),
        "factor": scaling.factor,
        "original_max_position_embeddings": scaling.original_length,
    }
    return keys if scaling.attention_factor is None else keys | {"attention_factor": scaling.attention_factor}


def _llama3(rope: Rope, scaling: Llama3, softmax_by_key: bool) -> dict[str, Any]:
    return {
        "rope_type": "llama3",
        "factor": scaling.factor,
        "original_max_position_embeddings": scaling.original_length,
        "low_freq_factor": scaling.low_freq_factor,
        "high_freq_factor": scaling.high_freq_factor,
    }


def _proportional(rope: Rope, scaling: Proportional, softmax_by_key: bool) -> dict[str, Any]:
    keys: dict[str, Any] = {"rope_type": "proportional", "partial_rotary_factor": scaling.partial_rotary_factor}
    return keys if scaling.factor == 1 else keys | {"factor": scaling.factor}


WRITTEN: dict[type[Scaling], Callable[[Rope, Any, bool], dict[str, Any]]] = {
    PositionInterpolation: _linear,
    NTKAware: _plain,
    DynamicNTK: _dynamic,
    NTKByParts: _by_parts,
    YaRN: _by_parts,
    LongRoPE: _longrope,
    Llama3: _llama3,
    Proportional: _proportional,
}
