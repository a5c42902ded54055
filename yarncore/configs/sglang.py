"""Command lines of SGLang: --json-model-override-args, --context-length, and what SGLang makes of the model with them.

SGLang 0.5.23 was run on each of these settings (ModelConfig; tests/goldens/engines_executed.json).
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from yarncore.configs.containers.arguments import is_command_line
from yarncore.configs.engines import sglang as engine
from yarncore.configs.keys import warn
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.serving import (
    check_length,
    judge_override,
    model_of,
    override_of,
    read_served,
    rope_dict_of,
    warn_of_version,
    with_base,
    words_of,
)
from yarncore.configs.source import Source, load
from yarncore.configs.typed_keys import TypedKeys
from yarncore.configs.writing import WriteRequest
from yarncore.errors import ConfigError

NAME = "sglang"
SIGNS: tuple[str, ...] = ("--json-model-override-args", "sglang.launch_server")
CHANGES_A_MODEL = True

_OVERRIDE = "--json-model-override-args"
_VARIABLE = "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1"
_HOW = f"put max_position_embeddings into {_OVERRIDE}, or set {_VARIABLE}"


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether a command line is one of SGLang's."""
    named = {"sglang.launch_server", "sglang"} & (words_of(mapping) | {str(mapping.get("-m"))})
    return is_command_line(mapping) and bool(named or _OVERRIDE in mapping)


def read(source: Source, strict: bool) -> ModelRopes:
    """What SGLang computes with a model and these flags, and the length that it serves."""
    flags = TypedKeys(source.mapping, source.where)
    model = model_of(source, flags, "--model-path", "launch_server")
    asked = flags.length("--context-length")
    merged = _merged(with_base(model.mapping, model.where), flags.object(_OVERRIDE) or {})
    found = read_served(engine, merged, source.where, strict, asked)
    check_length(engine, source.where, asked, found.served.longest, _VARIABLE in flags.words, _HOW)
    return dataclasses.replace(found.ropes, advertised_length=asked or found.served.unasked, where=source.where)


def _merged(model: dict[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """A rope dict of an override is merged into the model's own; null takes the base away with it."""
    rope = ("rope_scaling", "rope_parameters")
    merged = {**model, **{key: value for key, value in override.items() if key not in (*rope, "rope_theta")}}
    if "rope_theta" in override:
        warn(
            f"{_OVERRIDE}.rope_theta: SGLang does not read a base beside the rope dict; it belongs into it",
            finding=True,
        )
    for key in rope:
        if key not in override:
            continue
        given = override[key]
        if given is None:
            warn(f"{_OVERRIDE}.{key} is null: SGLang takes the base 10000, whatever the model's own is", finding=True)
            merged["rope_parameters"] = {"rope_type": "default", "rope_theta": 10000.0}
        elif isinstance(given, Mapping):
            merged["rope_parameters"] = {**rope_dict_of(model), **given}
        else:
            raise ConfigError(f"{_OVERRIDE}.{key} is {given!r}; an object or null is expected")
    return merged


def _neutralise(request: WriteRequest, rope: dict[str, Any]) -> None:
    """Keys of the model's own dict that SGLang multiplies by stay when an override is merged into it: they become 1."""
    own = {} if request.config is None else rope_dict_of(with_base(request.config.mapping, request.where))
    rope.update({key: 1.0 for key in ("attn_factor", "extrapolation_factor") if own.get(key) is not None})


def write(request: WriteRequest) -> list[str]:
    """Flags for `sglang.launch_server --model-path MODEL` with which SGLang computes the rotation and takes the length."""
    warn_of_version(engine, request.version)
    override, composed = override_of(request, engine, "rope_scaling")
    _neutralise(request, override["rope_scaling"])
    flags = [] if composed.length is None else ["--context-length", str(composed.length)]
    arguments = [*flags, _OVERRIDE, json.dumps(override)]
    judge_override(request, engine, composed, lambda: read(load(arguments, request.config), False))
    return arguments
