"""Rope -> the key-values of a GGUF file that have to be changed."""

import math
from collections.abc import Mapping
from typing import Any

from yarncore.configs.gguf.architecture import Architecture
from yarncore.configs.gguf.architectures import ARCHITECTURES
from yarncore.configs.gguf.dialect import keys_of, main_type, read_as_changed
from yarncore.configs.keys import Keys, warn
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.nearest import Vocabulary, nearest
from yarncore.configs.target_length import target_length
from yarncore.configs.writing import WriteRequest, judge, quiet
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
from yarncore.scaling import LongRoPE, NTKByParts, PositionInterpolation, YaRN
from yarncore.scaling.scaling import Scaling

_WHOSE = "llama.cpp"
FOLLOWS_LENGTH = "a scale that follows the length (llama.cpp has no dynamic method)"


def write(request: WriteRequest) -> dict[str, Any]:
    """The keys to be set, None for those to be removed: what llama.cpp needs to compute it and to serve the length.

    Raises
    ------
    ConfigError
        Also without the file that is to be changed, whose architecture decides which keys are read.
    """
    if request.config is None:
        raise ConfigError("config is None; the GGUF file that is to be changed, or its key-values, is expected")
    mapping, where = request.config.mapping, request.config.where
    with quiet():
        before = read_as_changed(mapping, where, strict=False)
    main = main_type(before)
    before.one(main)
    architecture = ARCHITECTURES[before.model_type]
    windows = architecture.windows
    apart = windows is not None and (windows.turn == "plain" or not windows.scaled)
    rope, wanted = asked(request, before, main, windows.name if windows is not None and apart else None)
    keys = keys_of(mapping, where, before.model_type)
    own = before[main]
    scaling, given_up = _nearest(rope, own, request.length, architecture)
    changes: dict[str, Any] = {} if own is not None and rope.base == own.base else {"rope.freq_base": rope.base}
    if scaling is None or own is None or scaling != own.scaling:
        changes |= _scaling(rope, scaling, architecture, keys)
    elif isinstance(
        scaling, (NTKByParts, LongRoPE)
    ):  # without it llama.cpp takes context_length, which may change below
        changes["rope.scaling.original_context_length"] = scaling.original_length
    length = request.length or target_length(scaling) or _stretched(own, scaling, before.advertised_length)
    if length is not None:
        changes["context_length"] = length
    changes = {key: value for key, value in changes.items() if keys.lookup(key) != value}
    named = {f"{before.model_type}.{key}": value for key, value in changes.items()}
    with quiet():
        changed = {key: value for key, value in {**mapping, **named}.items() if value is not None}
        back = read_as_changed(changed, where, strict=False)
    judge(request, _WHOSE, wanted, back, {main: given_up}, float32=True)
    return named


def asked(
    request: WriteRequest, before: ModelRopes, main: str, apart: str | None
) -> tuple[Rope, dict[str, Rope | None]]:
    """The Rope of the layers that are scaled, and what each layer type is to be.

    One Rope alone is for those layers, and for all that turned as they did.

    Parameters
    ----------
    apart : str or None
        A type of layers that no scaling reaches.

    Raises
    ------
    ConfigError
        Where the file has no such layers, or what is asked for them does not turn.
    """
    if isinstance(request.ropes, Mapping):
        unknown = sorted(set(request.ropes) - set(before))
        if unknown:
            raise ConfigError(
                f"rope has layers of type {unknown[0]!r}; those of {before.where} are of type {', '.join(before)}"
            )
        wanted = dict(before) | dict(request.ropes)
        rope = wanted[main]
        if rope is None:
            raise ConfigError(f"rope is None for layers of type {main!r}, which turn in llama.cpp")
        return rope, wanted
    rope = request.ropes
    alike = {name for name, one in before.items() if one == before[main]}
    if rope != before[main] and apart != main and apart in alike:
        warn(f"layers of type {apart} stay as the file has them: llama.cpp changes the others alone")
    return rope, {name: rope if name == main or name in alike - {apart} else one for name, one in before.items()}


def _nearest(
    rope: Rope, before: Rope | None, length: int | None, architecture: Architecture
) -> tuple[Scaling | None, str]:
    if rope.scaling is None or (before is not None and rope.scaling == before.scaling):
        return rope.scaling, ""
    betas = None if architecture.reads_betas else (32.0, 1.0)
    scaling, given_up = nearest(rope.scaling, length, Vocabulary(FOLLOWS_LENGTH, truncate=True, betas=betas))
    if not isinstance(scaling, (PositionInterpolation, NTKByParts)):
        raise ConfigError(
            f"{_WHOSE} keeps the divisors of {type(scaling).__name__} in tensors, or has nothing near; its key-values cannot say it"
        )
    return scaling, given_up


def _scaling(rope: Rope, scaling: Scaling | None, architecture: Architecture, keys: Keys) -> dict[str, Any]:
    if scaling is None:
        return {"rope.scaling.type": "none"} if keys.has("rope.scaling.type") or keys.has("rope.scaling.factor") else {}
    if isinstance(scaling, PositionInterpolation):
        return {"rope.scaling.type": "linear", "rope.scaling.factor": scaling.factor, "rope.scaling.attn_factor": None}
    assert isinstance(scaling, NTKByParts)
    found: dict[str, Any] = {
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": scaling.factor,
        "rope.scaling.original_context_length": scaling.original_length,
    }
    if architecture.reads_betas:
        found |= {"rope.scaling.yarn_beta_fast": scaling.beta_fast, "rope.scaling.yarn_beta_slow": scaling.beta_slow}
    return found | _temperature(rope, scaling, architecture)


def _temperature(rope: Rope, scaling: NTKByParts, architecture: Architecture) -> dict[str, Any]:
    """attn_factor multiplies what llama.cpp makes by itself: t(s, 1), or the ratio of the log multiplier."""
    found: dict[str, Any] = {"rope.scaling.attn_factor": None}
    all_dim = None
    if architecture.log_multiplier is not None:
        all_dim = _on_logits(rope, scaling) if architecture.softmax else getattr(scaling, "mscale_all_dim", None)
        found["rope.scaling.yarn_log_multiplier"] = (
            round(all_dim * architecture.log_multiplier, 12) if all_dim else None
        )
    mscale = None if not all_dim else all_dim if architecture.softmax else 1.0
    own = YaRN(scaling.factor, scaling.original_length, mscale=mscale, mscale_all_dim=all_dim if all_dim else None)
    by_key = _amplitude(scaling) / _amplitude(own)
    if abs(by_key - 1) > 1e-9:
        found["rope.scaling.attn_factor"] = by_key
    return found


def _on_logits(rope: Rope, scaling: NTKByParts) -> float | None:
    """mscale_all_dim for which m^2 t(s, mscale_all_dim)^2 is the factor of the logits: llama.cpp counts m there, too."""
    rotation = Rope(4, 1e4, scaling).at()
    if scaling.factor == 1:
        return None
    times = math.sqrt(rotation.softmax_scale_factor) / float(rotation.attention_factor)
    all_dim = (times - 1) / (0.1 * math.log(scaling.factor))
    return round(all_dim, 12) if all_dim > 1e-9 else None


def _amplitude(scaling: Scaling) -> float:
    return float(Rope(4, 1e4, scaling).at().attention_factor)


def _stretched(before: Rope | None, scaling: Scaling | None, had: int | None) -> int | None:
    """The length of a file whose scaling does not tell it: linear scaling multiplies that of a plain file."""
    if not isinstance(scaling, PositionInterpolation) or had is None or before is None or scaling == before.scaling:
        return had
    if before.scaling is None:
        return round(had * scaling.factor)
    warn(f"context_length stays {had}: {scaling!r} does not tell an original length; length= says what is to be served")
    return had
