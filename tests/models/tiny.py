"""A model small enough to run, of a configuration class: what decides the rotation stays as the class has it."""

import copy
import re
from collections.abc import Mapping
from typing import Any

from needed_keys import LEFT_OUT, NEEDED, SPECIAL
from transformers import CONFIG_MAPPING

# What a size becomes, by the ending of its key. What the rotation may read (head lengths, rotary parts, bases, lengths
# of positions) is not here; the width of the model follows from the length of a head.
_SIZES = {
    r"vocab_size$": 96,
    r"(intermediate_size|ffn_dim|n_inner|ffn_hidden_size)\w*$": 32,
    r"^(n_routed_experts|num_experts|num_local_experts|moe_num_experts)$": 4,
    r"^(num_experts_per_tok|num_experts_per_token|moe_k|moe_topk|top_k_experts|num_selected_experts)$": 2,
    r"^(n_group|topk_group|num_expert_group)$": 1,
    r"^kv_lora_rank$": 16,
    r"^q_lora_rank$": 16,
    r"^index_n_heads$": 2,
    r"^index_topk$": 64,
}
_TOKEN_ID = re.compile(r"_token_id$|^token_\w+_id$")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
_KEY_HEADS = ("num_key_value_heads", "num_kv_heads", "num_query_groups")
_WIDTHS = ("hidden_size", "n_embd", "d_model", "attention_hidden_size", "lru_width")
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_MOST_LAYERS = 12


def tiny_keys(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that make a configuration small, for a class whose own defaults are given."""
    keys: dict[str, Any] = {}
    for key, value in defaults.items():
        if type(value) is int and value > 0:
            size = next((size for pattern, size in _SIZES.items() if re.search(pattern, key)), None)
            if size is not None:
                keys[key] = min(size, value)
            elif _TOKEN_ID.search(key):
                keys[key] = min(value, 3)
    return keys | _heads(defaults) | _layers(defaults)


def _heads(defaults: Mapping[str, Any]) -> dict[str, Any]:
    heads_key = next((key for key in _HEADS if isinstance(defaults.get(key), int)), None)
    if heads_key is None:
        return {}
    heads = int(defaults[heads_key])
    new_heads = min(heads, 4)
    keys: dict[str, Any] = {heads_key: new_heads}
    for key in _KEY_HEADS:
        if isinstance(defaults.get(key), int):
            keys[key] = new_heads if defaults[key] == heads else min(2, int(defaults[key]))
    for key in _WIDTHS:
        if isinstance(defaults.get(key), int):
            keys[key] = int(defaults[key]) // heads * new_heads
    return keys


def _layers(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """As many layers as it takes until every kind of layer has occurred, and lists of that length."""
    layers_key = next((key for key in _LAYERS if isinstance(defaults.get(key), int)), None)
    if layers_key is None:
        return {}
    layers = int(defaults[layers_key])
    lists = {key: value for key, value in defaults.items() if isinstance(value, (list, tuple)) and len(value) == layers}
    kinds = list(zip(*map(_plain, lists.values()), strict=True))
    enough = max([kinds.index(kind) + 1 for kind in kinds], default=2)
    few = min(max(enough, 2), layers, _MOST_LAYERS)
    return {layers_key: few} | {key: list(value[:few]) for key, value in lists.items()}


def _plain(values: Any) -> list[str]:
    return [str(value) for value in values]


def tiny_config(config_class: Any, given: Mapping[str, Any] | None = None) -> Any:
    """A small configuration; keys that are given are set besides, as if they stood in its file."""
    special = SPECIAL.get(config_class.__name__, {})
    defaults = config_class(**{key: special[key] for key in NEEDED & special.keys()}).to_dict()
    keys = {**tiny_keys(defaults), **_nested(defaults), **special, **(given or {})}
    return config_class.from_dict(copy.deepcopy({key: value for key, value in keys.items() if value is not LEFT_OUT}))


def _nested(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The configurations inside a configuration, made small as well."""
    return {
        key: {
            **tiny_keys(value),
            **_nested(value),
            **_special_of(value["model_type"]),
            **({"model_type": value["model_type"]} if value["model_type"] else {}),
        }
        for key, value in defaults.items()
        if isinstance(value, dict) and "model_type" in value
    }


def _special_of(model_type: str) -> dict[str, Any]:
    if model_type not in CONFIG_MAPPING:
        return {}
    special = SPECIAL.get(CONFIG_MAPPING[model_type].__name__, {})
    return {key: value for key, value in special.items() if value is not LEFT_OUT}
