"""Where the language model's configuration stands within that of a larger model."""

from collections.abc import Mapping
from typing import Any

from yarncore.configs.huggingface.facts import text_type_of
from yarncore.errors import ConfigError

_NESTED = ("text_config", "llm_config", "language_config", "thinker_config")

# Keys of the language model that some larger models keep beside it.
_KEPT_OUTSIDE = ("rope_theta", "rope_scaling", "rope_parameters", "rope_local_base_freq", "partial_rotary_factor")

# Types whose keys beside the language model are those of another part: of the times of sounds (transformers 5.24.0,
# models/musicflamingo/modeling_musicflamingo.py, MusicFlamingoRotaryEmbedding).
_OF_ANOTHER_PART = frozenset(["musicflamingo"])


def language_model(mapping: Mapping[str, Any]) -> tuple[Mapping[str, Any], str, str]:
    """The keys of the language model, their path within the file, and its model type.

    Raises
    ------
    ConfigError
        Where the same key stands inside and outside and differs.
    """
    path = ""
    model_type = _type_in(mapping)
    while True:
        key = next((key for key in _NESTED if isinstance(mapping.get(key), Mapping)), None)
        if key is None:
            return mapping, path, text_type_of(model_type)
        path = f"{path}.{key}" if path else key
        mapping = _with_outer_keys(mapping, mapping[key], path)
        model_type = _type_in(mapping) or text_type_of(model_type)


def _type_in(mapping: Mapping[str, Any]) -> str:
    value = mapping.get("model_type")
    return value if isinstance(value, str) else ""


def _with_outer_keys(outer: Mapping[str, Any], inner: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    merged = dict(inner)
    if _type_in(outer) in _OF_ANOTHER_PART:
        return merged
    for key in _KEPT_OUTSIDE:
        value = outer.get(key)
        if value is None:
            continue
        if merged.get(key) is None:
            merged[key] = value
        elif merged[key] != value:
            raise ConfigError(f"{path}.{key} is {merged[key]!r} and {key} is {value!r}; they must agree")
    return merged
