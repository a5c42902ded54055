"""The encoder and the decoder of a model of one configuration, each with keys of its own: asked by running it."""

from typing import Any

from asked import Asked, size
from running import NotRun

PARTS = ("encoder", "decoder")  # as their layers are numbered
_WHAT = {"layers": "num_hidden_layers", "heads": "num_attention_heads", "key_heads": "num_key_value_heads"}
_WIDTHS = ("hidden_size", "d_model")


def parts(asked: Asked) -> dict[str, Any]:
    """The field of Facts that tells the keys of each part; nothing where a model has no such parts.

    Raises
    ------
    NotRun
        Where its keys do not make as many layers as they say.
    """
    keys = {part: {what: f"{part}_{word}" for what, word in _WHAT.items()} for part in PARTS}
    if not all(key in asked.defaults for named in keys.values() for key in named.values()):
        return {}
    for part, named in keys.items():
        more = asked.tried({named["layers"]: asked.defaults[named["layers"]] + 1})
        if more is None or len(more) != len(asked.usual) + 1:
            raise NotRun(f"{named['layers']} is not the number of the {part}'s layers")
    other_names: dict[str, str] = getattr(asked.config_class, "attribute_map", {})
    return {
        "parts": [
            {"name": part}
            | {what: [key, *(name for name, of in other_names.items() if of == key)] for what, key in named.items()}
            for part, named in keys.items()
        ]
    }


def width_and_heads(asked: Asked) -> list[str] | None:
    """The keys whose quotient is the length of every head, in the encoder and in the decoder."""
    width = next((key for key in _WIDTHS if key in asked.defaults), None)
    for part in PARTS:
        key = f"{part}_{_WHAT['heads']}"
        fewer = asked.tried({key: asked.defaults[key] // 2}) if key in asked.defaults else None
        doubled = fewer is not None and len(fewer) == len(asked.usual) and all(map(_twice_as_long, fewer, asked.usual))
        if width is not None and doubled:
            return [width, key]
    return None


def _twice_as_long(layer: Any, usual: Any) -> bool:
    return size(layer)[0] == 2 * size(usual)[0]
