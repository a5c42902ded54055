"""Which base and which scaling a class gives each layer: asked by what it makes of a file's keys, and by running it."""

import re
from collections.abc import Mapping
from typing import Any

from asked import OTHER_BASE, Asked, slowest
from needed_keys import LEFT_OUT
from running import NotRun

_OF_A_BASE = re.compile(r"theta|base_freq|rotary_embedding_base|rotary_emb_base|^rope_base$")
_PART = "partial_rotary_factor"
_LINEAR = {"rope_type": "linear", "factor": 4.0}
_PLAIN_BASE = 10000.0


def bases(asked: Asked) -> dict[str, Any]:
    """The fields of Facts that tell bases and scalings."""
    ropes = asked.ropes({}) or {}
    if not ropes:
        return {"ropes": {"": _seen(asked)}, "base_keys": {"": []}, "scaled": _scaled(asked, {"": {}}, shared=None)}
    shared = _one_for_each_type(asked, ropes)
    return {
        "ropes": {"*": shared} if shared else ropes,
        "partial": _partial(asked, ropes),
        "base_keys": {} if shared else _base_keys(asked, ropes),
        "layer_bases": _layer_bases(asked),
        "scaled": _scaled(asked, ropes, shared),
        "alpha": _alpha(asked),
    }


def _seen(asked: Asked) -> dict[str, Any]:
    """The rotation of a class that keeps no rope dict, from how fast its slowest pair turns."""
    rotation = next((layer.rotation for layer in asked.usual if layer.rotation is not None), None)
    if rotation is None:
        raise NotRun("nothing was seen to turn")
    count = len(rotation.pairs)
    base = float(min(rotation.frequencies)) ** (-count / (count - 1))
    return {"rope_theta": float(f"{base:.4g}"), "rope_type": "default"}


def _one_for_each_type(asked: Asked, ropes: Mapping[str, Any]) -> dict[str, Any] | None:
    """The rope dict that a class makes anew for whatever layer types a file lists."""
    count = asked.defaults_of_class().get("num_hidden_layers")
    found = []
    for name in ("full_attention", "sliding_attention"):
        made = asked.ropes({"layer_types": [name] * count}) if count else None
        if made is None or set(made) != {name}:
            return None
        found.append(made[name])
    return found[0] if found[0] == found[1] and len(ropes) == 1 else None


def _partial(asked: Asked, ropes: Mapping[str, Any]) -> dict[str, float]:
    """partial_rotary_factor that a class puts into a rope dict of the file without one."""
    bare = {
        label: None if rope is None else {key: value for key, value in rope.items() if key != _PART}
        for label, rope in ropes.items()
    }
    made = asked.ropes({"rope_parameters": bare.get("", bare)}) or {}
    return {label: rope[_PART] for label, rope in made.items() if rope and _PART in rope}


def _base_keys(asked: Asked, ropes: Mapping[str, Any]) -> dict[str, list[str]]:
    """By label, the keys that give its base where the file has no rope dict."""
    found: dict[str, list[str]] = {label: [] for label in ropes}
    for key in asked.keys(_OF_A_BASE, "rope_theta"):
        for label, rope in (asked.ropes({key: OTHER_BASE}) or {}).items():
            if rope and rope.get("rope_theta") == OTHER_BASE and label in found:
                found[label].append(key)
    return found


def _layer_bases(asked: Asked) -> str | None:
    """A key that lists one base for each layer."""
    for key in asked.keys(_OF_A_BASE):
        value = asked.defaults.get(key)
        layers = asked.tried({key: [OTHER_BASE] * len(value)}) if isinstance(value, list) else None
        if layers is not None and list(map(slowest, layers)) != list(map(slowest, asked.usual)):
            return key
    return None


def _scaled(asked: Asked, ropes: Mapping[str, Any], shared: Mapping[str, Any] | None) -> list[str] | None:
    """The labels that a rope dict without labels reaches; None: all, or none is accepted by a class without labels."""
    plain: dict[str, Any] = {"rope_parameters": LEFT_OUT, "rope_theta": _PLAIN_BASE}
    if shared:
        plain["layer_types"] = ["full_attention", "sliding_attention"] * (len(asked.usual) // 2)
    before, after = asked.tried(plain), asked.tried({**plain, "rope_scaling": _LINEAR})
    if before is None or after is None or len(before) != len(after):
        return [] if len(ropes) > 1 else None
    turning = {layer.layer_type for layer in before if layer.rotation}
    reached = {now.layer_type for now, then in zip(after, before, strict=True) if now.rotation != then.rotation}
    if turning == reached:
        return None
    return sorted(reached)


def _alpha(asked: Asked) -> bool:
    """Whether the dynamic method with the key alpha is the base times alpha^(d / (d - 2))."""
    if '"alpha"' not in asked.code:
        return False
    alpha = 1000.0
    plain = asked.tried({"rope_parameters": {"rope_type": "default", "rope_theta": _PLAIN_BASE}})
    rope = {"rope_type": "dynamic", "rope_theta": _PLAIN_BASE, "factor": 1.0, "alpha": alpha}
    larger = asked.tried({"rope_parameters": rope})
    if plain is None or larger is None:
        return False
    pairs = ((slowest(then), slowest(now)) for then, now in zip(plain, larger, strict=True))
    return all(then and now and abs(then / now / alpha - 1) < 1e-5 for then, now in pairs)
