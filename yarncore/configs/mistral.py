"""Mistral's params.json, as vLLM 0.33.0 reads it (vllm/transformers_utils/configs/mistral.py; executed, adapt_config_dict).

Pairs: (2i, 2i+1), mistralai/mistral-inference, src/mistral_inference/rope.py, commit 4304e4f991a70050444cf4441ef0affb3caa8925.
SGLang reads apply_scale: true as no temperature; see docs/formats.md.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from yarncore.configs.huggingface.query_scales import warn_of_the_rest
from yarncore.configs.keys import Keys
from yarncore.configs.model_ropes import FULL, Evidence, ModelRopes
from yarncore.configs.nearest import Vocabulary
from yarncore.configs.own_words import made, nearest_yarn, read_back, report_unread, served, to_be_changed, yarn_of
from yarncore.configs.source import Source
from yarncore.configs.writing import WriteRequest
from yarncore.query_scale import LogSteps, QueryScale
from yarncore.scaling import NTKByParts, YaRN
from yarncore.scaling.scaling import Scaling

NAME = "mistral"
SIGNS: tuple[str, ...] = ("n_heads with n_layers and dim",)
CHANGES_A_MODEL = False

_WHOSE = "Mistral's params.json"
_EVIDENCE = Evidence("run", "vLLM 0.33.0, vllm/transformers_utils/configs/mistral.py, adapt_config_dict")
_VOCABULARY = Vocabulary("a scale that follows the length", truncate=True)


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping is a params.json: Mistral's words for the shape, and none of transformers' for the type."""
    shape = all(key in mapping for key in ("dim", "n_layers", "n_heads"))
    return (shape or "yarn" in mapping) and "model_type" not in mapping and "inter_dim" not in mapping


def read(source: Source, strict: bool) -> ModelRopes:
    """All that a params.json tells of its rotary embedding."""
    keys = Keys(source.mapping, source.where)
    sliced = keys.count("qk_rope_head_dim")
    beside = keys.count("qk_nope_head_dim", least=0) or 0
    heads = keys.count("n_heads") or 1
    base = keys.number("rope_theta", above=1)
    if base is None:
        raise keys.missing("rope_theta", "the base of the frequencies, a number > 1")
    rope = made(source.where, sliced or _head_dim(keys, heads), base, _scaling(keys, sliced is not None), None, True)
    rope = dataclasses.replace(rope, query_scale=_query_scale(keys))
    if sliced and beside and rope.query_scale is not None:
        warn_of_the_rest(keys.name("llama_4_scaling"), beside)
    report_unread(keys, strict)
    return ModelRopes(
        {FULL: rope},
        (FULL,) * (keys.layers("n_layers") or 0),
        _EVIDENCE,
        model_type="",
        where=source.where,
        heads=heads,
        key_heads=1 if sliced else keys.count("n_kv_heads") or heads,
        query_elements_beside=beside if sliced else 0,
        advertised_length=keys.length("max_position_embeddings") or keys.length("max_seq_len"),
    )


def _head_dim(keys: Keys, heads: int) -> int:
    given, width = keys.count("head_dim"), keys.count("dim")
    if given is None and (width is None or width % heads):
        raise keys.missing("head_dim", "neither it nor dim and n_heads say how long a head is")
    return given or (width or 0) // heads


def _scaling(keys: Keys, sliced: bool) -> Scaling | None:
    inner = keys.raw("yarn")
    if not inner:
        return None
    if not isinstance(inner, Mapping):
        raise keys.error("yarn", "an object or null")
    yarn = Keys(inner, keys.where, "yarn")
    factor, original = yarn.number("factor", at_least=1), yarn.length("original_max_position_embeddings")
    for key, value in (("factor", factor), ("original_max_position_embeddings", original)):
        if value is None:
            raise yarn.missing(key, "vLLM's YaRN does not start without it")
    betas = {"beta_fast": yarn.number("beta", above=0) or 32.0, "beta_slow": yarn.number("alpha", above=0) or 1.0}
    applied = yarn.flag("apply_scale")
    yarn.report_unread(strict=True)  # vLLM and SGLang fail on a key that they do not know
    if applied is False:
        return yarn_of(keys.where, factor, original, attention_factor=1.0, **betas)
    if sliced:  # mscale_all_dim is 1 there, and the factor goes to the logits
        return yarn_of(keys.where, factor, original, mscale=1.0, mscale_all_dim=1.0, softmax_mscale=1.0, **betas)
    return yarn_of(keys.where, factor, original, **betas)


def _query_scale(keys: Keys) -> QueryScale | None:
    inner = keys.raw("llama_4_scaling")
    if not inner:
        return None
    if not isinstance(inner, Mapping):
        raise keys.error("llama_4_scaling", "an object or null")
    scale = Keys(inner, keys.where, "llama_4_scaling")
    beta, original = scale.number("beta", at_least=0), scale.length("original_max_position_embeddings")
    if beta is None or original is None:
        raise scale.missing("beta" if beta is None else "original_max_position_embeddings", "the model needs both")
    return LogSteps(beta, original) if beta else None


def write(request: WriteRequest) -> dict[str, Any]:
    """A params.json that vLLM reads as the same rotation: the keys alone, or the whole of the given one."""
    result = to_be_changed(request, recognises, _WHOSE)
    rope = request.only_rope("a params.json has one for all layers")
    scaling, given_up = nearest_yarn(rope, request.length, _VOCABULARY, _WHOSE)
    if not result:
        result = {"head_dim": rope.head_dim}
    result["rope_theta"] = rope.base
    result.pop("yarn", None)
    if isinstance(scaling, NTKByParts):
        result["yarn"] = {
            "original_max_position_embeddings": scaling.original_length,
            "factor": scaling.factor,
            "alpha": scaling.beta_slow,
            "beta": scaling.beta_fast,
            "apply_scale": _applies(scaling),
        }
    result.pop("llama_4_scaling", None)
    if isinstance(rope.query_scale, LogSteps) and not rope.query_scale.offset:
        scale = rope.query_scale
        result["llama_4_scaling"] = {"original_max_position_embeddings": scale.original_length, "beta": scale.beta}
    length = served(request, scaling)
    if length is not None:
        result["max_position_embeddings"] = length
        if "max_seq_len" in result:
            result["max_seq_len"] = length
    read_back(request, read, result, rope, given_up, _WHOSE)
    return result


def _applies(scaling: NTKByParts) -> bool:
    """apply_scale is all that there is to say of a temperature: the usual one, or none."""
    if not isinstance(scaling, YaRN):
        return False
    if scaling.softmax_mscale is not None:
        return True
    both = scaling.mscale is not None and scaling.mscale == scaling.mscale_all_dim
    return not (scaling.attention_factor == 1 or (scaling.attention_factor is None and both))
