"""The row of a type of model in the reader's table, from what the model was asked."""

from typing import Any

from asked import Asked
from asked_bases import bases
from asked_heads import heads
from asked_layers import layers, never_turns
from asked_pairs import pairs
from asked_parts import parts
from rotary_classes import RotaryModel

# What the reader takes where a row says nothing.
_USUAL: dict[str, Any] = {
    "pairs": "half",
    "head_dim": {"": {"default": "hidden/heads", "keys": ["head_dim"]}},
    "partial_keys": ["partial_rotary_factor"],
    "rotary_dim": {"default": None, "keys": []},
}


def row_of(model_type: str, rotary: RotaryModel) -> dict[str, Any]:
    """All that the reader is told of a type.

    Raises
    ------
    NotRun
        Where not even its default configuration makes a model that runs.
    """
    asked = Asked(model_type, rotary)
    if never_turns(asked):
        return {"source": rotary.source, "rotates": False}
    found = {**pairs(asked), **bases(asked), **heads(asked), **layers(asked), **parts(asked)}
    found["base_keys"] = _unusual(found["base_keys"])
    told = {name: value for name, value in found.items() if not _usual(name, value)}
    return {"source": rotary.source, **dict(sorted(told.items()))}


def _unusual(base_keys: dict[str, list[str]]) -> dict[str, list[str]]:
    """Nothing where each label's base is rope_theta."""
    return {} if all(keys == ["rope_theta"] for keys in base_keys.values()) else base_keys


def _usual(name: str, value: Any) -> bool:
    if name == "scaled":
        return value is None
    return value == _USUAL[name] if name in _USUAL else value in (None, False, {}, [])
