"""How long a head is and how much of it turns: asked by models of other widths."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from asked import Asked, by_label, size
from asked_parts import PARTS, width_and_heads
from needed_keys import LEFT_OUT
from running import LayerRun

_OF_A_HEAD = re.compile(r"^(global_|swa_|attention_|qk_rope_)?head_dim$|^kv_channels$|^head_size$")
_OF_A_PART = re.compile(
    r"^rotary_dim$|^rotary_pct$|^rope_pct$|^rotary_emb_fraction$|^partial_rotary_factors$|^qk_rope_head_dim$"
)
_SLICE = "qk_rope_head_dim"
_PART = "partial_rotary_factor"
_WIDTHS = ("hidden_size", "n_embd", "d_model")
# What follows from the width where a file leaves it out.
_FOLLOW = ("head_dim", "attention_hidden_size")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
# Keys whose default a file may leave out, as a reader asks for them.
_DEFAULTS = frozenset(
    [
        *_WIDTHS, *_HEADS, "num_key_value_heads", "num_kv_heads", "num_hidden_layers", "num_attention_layers", "n_layer", "n_layers",
        "max_position_embeddings", "n_positions", "max_seq_len", "qk_rope_head_dim", "qk_nope_head_dim", "sliding_window",
        "original_max_position_embeddings", "rope_interleave", "alibi", "use_mem_rope", "position_embedding_type",
        "mla_use_nope", "no_rope_layer_interval",
        *(f"{part}_{key}" for part in PARTS for key in ("num_hidden_layers", "num_attention_heads", "num_key_value_heads")),
    ]
)  # fmt: skip
# Names of the advertised length that every type is read by.
_LENGTHS = ("n_positions", "max_seq_len", "seq_length")
_USUAL: dict[str, Any] = {"keys": ["head_dim"], "default": "hidden/heads"}


def heads(asked: Asked) -> dict[str, Any]:
    """The fields of Facts that tell lengths."""
    return {
        "head_dim": _head_dim(asked),
        **_parts(asked),
        "whole_width": whole_width(asked),
        "at_end": all(layer.rotation.at_end for layer in asked.usual if layer.rotation is not None),
        "length_keys": _length_keys(asked),
        "unread": _unread(asked),
        "defaults": {
            entry.name: entry.default
            for entry in sorted(dataclasses.fields(asked.config_class), key=lambda entry: entry.name)
            if entry.name in _DEFAULTS and entry.default is not dataclasses.MISSING and entry.default is not None
        },
    }


def whole_width(asked: Asked) -> bool:
    """Whether what turns at once is split into all heads before attention is given it."""
    turning = [layer for layer in asked.usual if layer.rotation is not None]
    count = _number_of_heads(asked) or 1
    return count > 1 and bool(turning) and all(size(layer)[0] == count * (layer.query_dim or 0) for layer in turning)


def _number_of_heads(asked: Asked) -> int | None:
    return next((asked.defaults[key] for key in _HEADS if isinstance(asked.defaults.get(key), int)), None)


def _unread(asked: Asked) -> list[str]:
    """Keys of how much turns that the class never reads, though it writes them into its own files, or others do."""
    turning = [layer for layer in asked.usual if layer.rotation is not None]
    lengths, parts = {size(layer)[0] for layer in turning}, {2 * size(layer)[1] for layer in turning}
    found = []
    for key in asked.keys(_OF_A_HEAD):
        value = asked.defaults.get(key)
        if isinstance(value, int) and value not in lengths and not {_SLICE, "head_dim"} & {key, *asked.defaults}:
            found += _of_no_effect(asked, key)
    for key in asked.keys(_OF_A_PART):
        value = asked.defaults.get(key)
        if type(value) is int and value not in parts and key != _SLICE:
            found += _of_no_effect(asked, key)
    return found + ([_PART] if _SLICE not in asked.defaults and _turns_whole(asked) else [])


def _of_no_effect(asked: Asked, key: str) -> list[str]:
    """The key, if the double of its number changes nothing."""
    layers = asked.tried({key: 2 * asked.defaults[key]})
    return [key] if layers is not None and not _of_other_size(layers, asked.usual) else []


def _turns_whole(asked: Asked) -> bool:
    """Whether as much of a head turns whatever part of it a rope dict of the method 'default' asks for."""
    ropes = by_label(asked.defaults.get("rope_parameters"))
    for part in (0.5, 0.25):
        given = {name: rope and {**rope, "rope_type": "default", _PART: part} for name, rope in ropes.items()}
        layers = asked.tried({"rope_parameters": given.get("", given)})
        if not ropes or layers is None or _of_other_size(layers, asked.usual):
            return False
    return True


def _length_keys(asked: Asked) -> list[str]:
    """Another name that the class has for max_position_embeddings, and that wins where a file has both."""
    key = getattr(asked.config_class, "attribute_map", {}).get("max_position_embeddings")
    if key is None or key in _LENGTHS:
        return []
    made = asked.made({"max_position_embeddings": 512, key: 777})
    return [key] if made is not None and made.max_position_embeddings == 777 else []


def _head_dim(asked: Asked) -> dict[str, Any]:
    """By label: the keys that change the length of what is rotated, and what it is without them."""
    if whole_width(asked):
        return {"": _of_whole_width(asked)}
    keys, defaults = _head_keys(asked), _head_defaults(asked)
    rules: dict[str, Any] = {
        name: {"keys": [key for key, names in keys.items() if name in names], "default": defaults[name]}
        for name in defaults
    }
    general = next((rule for rule in rules.values() if "head_dim" in rule["keys"]), next(iter(rules.values()), _USUAL))
    return {"": general} | {name: rule for name, rule in rules.items() if rule != general}


def _of_whole_width(asked: Asked) -> dict[str, Any]:
    """The key of the width, by a model that is twice as wide; lists that end with the width end with its double."""
    usual, found = size(asked.usual[0])[0], []
    lists = {
        key: [*value[:-1], 2 * usual]
        for key, value in asked.defaults.items()
        if isinstance(value, list) and value[-1:] == [usual]
    }
    for key in asked.keys(re.compile(f"^({'|'.join(_WIDTHS)})$")):
        layers = asked.tried({**lists, key: 2 * usual}) if asked.defaults.get(key) == usual else None
        if layers is not None and size(layers[0])[0] == 2 * usual:
            found.append(key)
    return {"keys": found, "default": asked.defaults_of_class()[found[0]] if found else None}


def _head_keys(asked: Asked) -> dict[str, set[str]]:
    attributes = getattr(asked.config_class, "attribute_map", {})
    aliases = {alias for alias in attributes if _OF_A_HEAD.search(alias)}
    found: dict[str, set[str]] = {}
    for key in asked.keys(_OF_A_HEAD, "head_dim"):
        if key not in aliases:
            found[key] = _changed_by(asked, key, "head_dim" not in {key, *aliases})
    found = {key: names for key, names in found.items() if names}
    return {_SLICE: found[_SLICE]} if _SLICE in found else found


def _changed_by(asked: Asked, key: str, with_head_dim: bool) -> set[str]:
    """The layer types whose heads a key makes longer or shorter, alone or with what must agree with it."""
    differing = (
        _of_other_length if key == _SLICE else _of_other_size
    )  # a slice is what is handed over, not a part of it
    tries: list[dict[str, Any]] = [{key: 48}]
    if with_head_dim and not (key == _SLICE and asked.tried({key: 48})):  # else the change may be head_dim's
        tries.append({key: 48, "head_dim": 48})
    for given in (*tries, *_fitting({key: 64}, 64), *_fitting({key: 128}, 128)):
        layers = asked.tried(given)
        changed = set() if layers is None else differing(layers, asked.usual)
        if changed:
            return changed
    width = _width(asked, 48)
    with_key = asked.tried({**width, key: 48})
    return differing(with_key, asked.usual) if with_key and width and asked.tried(width) is None else set()


def _of_other_length(layers: tuple[LayerRun, ...], usual: tuple[LayerRun, ...]) -> set[str]:
    return {now.layer_type for now, then in zip(layers, usual, strict=False) if size(now)[0] != size(then)[0]}


def _of_other_size(layers: tuple[LayerRun, ...], usual: tuple[LayerRun, ...]) -> set[str]:
    return {now.layer_type for now, then in zip(layers, usual, strict=False) if size(now) != size(then)}


def _fitting(given: Mapping[str, Any], dim: int) -> Iterator[dict[str, Any]]:
    """Keys, and sections that fit a head of `dim` elements where the model has any."""
    yield dict(given)
    for part in (1.0, 0.5, 0.25):
        pairs = int(dim * part) // 2
        third = pairs // 3
        rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": part}
        yield {**given, "rope_parameters": {**rope, "mrope_section": [pairs - 2 * third, third, third]}}
        yield {**given, "rope_parameters": {**rope, "mrope_section": [third, third, pairs - 2 * third]}}


def _head_defaults(asked: Asked) -> dict[str, Any]:
    """By layer type: the length without a key of its own, from models of two widths for each head."""
    seen: dict[int, dict[str, int]] = {}
    for width in (64, 128, 256):
        layers = _of_width(asked, width)
        if layers is not None:
            seen[width] = {layer.layer_type: size(layer)[0] for layer in layers if layer.rotation is not None}
    usual = {layer.layer_type: size(layer)[0] for layer in asked.usual if layer.rotation is not None}
    return {name: _rule(asked, usual[name], {width: dims.get(name) for width, dims in seen.items()}) for name in usual}


def _of_width(asked: Asked, width: int) -> tuple[LayerRun, ...] | None:
    """A run with hidden_size / heads = width and no key for the length of a head."""
    given = _width(asked, width)
    for keys in _fitting({**given, **dict.fromkeys(_FOLLOW, LEFT_OUT)}, width) if given else ():
        layers = asked.tried(keys)
        if layers is not None:
            return layers
    return None


def _width(asked: Asked, width: int) -> dict[str, int]:
    """Keys that make hidden_size / heads = width; none where the class has no such keys."""
    number = _number_of_heads(asked)
    return {} if number is None else {key: width * number for key in _WIDTHS if key in asked.defaults}


def _rule(asked: Asked, usual: int, dims: Mapping[int, int | None]) -> Any:
    """What makes the lengths that were seen, by width: a number, or hidden_size / heads."""
    of_class = asked.defaults_of_class().get("head_dim")
    part = _part_of(asked)
    if not _width(asked, 64):
        return width_and_heads(asked) or usual
    if len(dims) > 1 and len(set(dims.values())) == 1:
        return usual
    if len(dims) == 1 and isinstance(of_class, int):
        return of_class
    for times, rule in ((1.0, "hidden/heads"), (2.0, "2*hidden/heads"), (part, "hidden/heads")):
        if dims and all(dim is not None and abs(dim - times * width) < 2 for width, dim in dims.items()):
            return rule
    return usual if of_class == usual else None


def _part_of(asked: Asked) -> float:
    """The part of a head that the class hands to its rotation."""
    ropes = asked.defaults.get("rope_parameters") or {}
    return float(ropes.get("partial_rotary_factor") or 1.0) if "rope_type" in ropes else 1.0


def _parts(asked: Asked) -> dict[str, Any]:
    """Keys beside a rope dict that say which part of a head turns."""
    partial, rotary = [], []
    for key in asked.keys(_OF_A_PART):
        counts = key in ("rotary_dim", _SLICE)
        value: Any = 16 if counts else 0.125
        layers = asked.tried({key: [value] * len(asked.usual) if key.endswith("s") else value})
        if layers is None or not _of_other_size(layers, asked.usual):
            continue
        if key != _SLICE or not _of_other_length(layers, asked.usual):  # else it is the whole of what is handed over
            (rotary if counts else partial).append(key)
    default = asked.defaults_of_class().get("rotary_dim") if rotary else None
    return {
        "partial_keys": partial or ["partial_rotary_factor"],
        "rotary_dim": {"keys": rotary, "default": default},
    }
