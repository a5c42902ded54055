"""Command lines of vLLM: --hf-overrides, --max-model-len, and what vLLM makes of the model's configuration with them.

vLLM 0.33.0 was run on each of these settings (ModelConfig; tests/goldens/engines_executed.json). --rope-scaling and
--rope-theta are gone from 0.11.1 on (vllm-project/vllm, pull request 28006).
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from yarncore.configs.containers.arguments import is_command_line
from yarncore.configs.engines import vllm as engine
from yarncore.configs.keys import warn
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.serving import (
    check_length,
    judge_override,
    model_of,
    override_of,
    read_served,
    warn_of_version,
    with_base,
    words_of,
)
from yarncore.configs.source import Source, load
from yarncore.configs.typed_keys import TypedKeys
from yarncore.configs.writing import WriteRequest
from yarncore.errors import ConfigError

NAME = "vllm"
SIGNS: tuple[str, ...] = ("--hf-overrides", "vllm serve")
CHANGES_A_MODEL = True

_LENGTHS = ("--max-model-len", "--max_model_len")
_OVERRIDES = ("--hf-overrides", "--hf_overrides")
_GONE = ("--rope-scaling", "--rope-theta")
_VARIABLE = "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1"
_HOW = f"put max_position_embeddings into --hf-overrides, or set {_VARIABLE}"
_ROPE = ("rope_parameters", "rope_scaling")


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether a command line is one of vLLM's."""
    return "vllm" in words_of(mapping) or (is_command_line(mapping) and any(flag in mapping for flag in _OVERRIDES))


def read(source: Source, strict: bool) -> ModelRopes:
    """What vLLM computes with a model and these flags, and the length that it serves."""
    flags = TypedKeys(source.mapping, source.where)
    gone = next((flag for flag in _GONE if flags.has(flag)), None)
    if gone is not None:
        raise ConfigError(f"{flags.name(gone)}: vLLM has no such flag from 0.11.1 on; --hf-overrides takes its place")
    model = model_of(source, flags, "--model", "serve")
    override = next((flags.object(flag) for flag in _OVERRIDES if flags.has(flag)), None) or {}
    asked = next((flags.length(flag) for flag in _LENGTHS if flags.has(flag)), None)
    merged = _merged(with_base(model.mapping, model.where), override)
    if flags.has("--disable-sliding-window"):
        merged = _within_the_window(merged)
    found = read_served(engine, merged, source.where, strict, asked)
    check_length(engine, source.where, asked, found.served.longest, _VARIABLE in flags.words, _HOW)
    return dataclasses.replace(found.ropes, advertised_length=asked or found.served.unasked, where=source.where)


def _merged(model: dict[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """A rope dict of an override takes the place of the model's whole; a base beside it is read by nobody."""
    merged = {**model, **{key: value for key, value in override.items() if key not in (*_ROPE, "rope_theta")}}
    if "rope_theta" in override:
        warn(
            "--hf-overrides.rope_theta: vLLM does not read a base beside the rope dict; it belongs into rope_parameters",
            finding=True,
        )
    for key in _ROPE:
        if key not in override:
            continue
        given = override[key]
        if not isinstance(given, Mapping):
            raise ConfigError(f"--hf-overrides.{key} is {given!r}; an object is expected")
        nested = any(isinstance(value, Mapping) for value in given.values())
        if not nested and given.get("rope_theta") is None:
            warn(
                f"--hf-overrides.{key} has no rope_theta: vLLM takes 10000, whatever the model's own base is",
                finding=True,
            )
            given = {**given, "rope_theta": 10000.0}
        if not nested and given.get("rope_type", given.get("type")) is None:
            raise ConfigError(f"--hf-overrides.{key}.rope_type is missing; vLLM fails without it")
        merged["rope_parameters"] = dict(given)
    return merged


def _within_the_window(merged: dict[str, Any]) -> dict[str, Any]:
    """Without its sliding window a model is served no longer than that is: as if each of its lengths were no more."""
    window = merged.get("sliding_window")
    if any(isinstance(value, Mapping) and value.get("sliding_window") for value in merged.values()):
        warn(
            "--disable-sliding-window: what vLLM serves of a language model within a larger one was not run; left aside"
        )
    if type(window) is not int or window == 0 or merged.get("use_sliding_window") is False:
        return merged
    lengths = {key: min(window, merged[key]) for key in engine.LENGTHS if type(merged.get(key)) is int}
    return {**merged, "seq_len": window, **lengths}


def write(request: WriteRequest) -> list[str]:
    """Flags for `vllm serve MODEL` with which vLLM computes the rotation and takes the length."""
    warn_of_version(engine, request.version)
    override, composed = override_of(request, engine, "rope_parameters")
    flags = [] if composed.length is None else ["--max-model-len", str(composed.length)]
    if request.version and _number(request.version) < (0, 11, 1):
        rope = override["rope_parameters"]
        base = rope.pop("rope_theta")
        return [*flags, "--rope-scaling", json.dumps(rope), "--rope-theta", f"{base:.17g}"]
    arguments = [*flags, "--hf-overrides", json.dumps(override)]
    judge_override(request, engine, composed, lambda: read(load(arguments, request.config), False))
    return arguments


def _number(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        raise ConfigError(f"format has the version {version!r}; numbers with points between are expected") from None
