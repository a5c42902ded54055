"""Which base and which scaling a class gives each layer: asked by what it makes of a file's keys, and by running it."""

import re
from collections.abc import Mapping
from typing import Any

from asked import OTHER_BASE, Asked, slowest
from needed_keys import LEFT_OUT
from running import NotRun

_OF_A_BASE = re.compile(r"theta|base_freq|rotary_embedding_base|rotary_emb_base|^rope_base$")
_OF_SCALED_LAYERS = re.compile(r"scaling_layers$")
_PART = "partial_rotary_factor"
_LINEAR = {"rope_type": "linear", "factor": 4.0}
_PLAIN_BASE = 10000.0
_NO_MODEL = object()


def bases(asked: Asked) -> dict[str, Any]:
    """The fields of Facts that tell bases and scalings."""
    ropes = asked.ropes({}) or {}
    if not ropes:
        return {
            "ropes": {"": _seen(asked)},
            "base_keys": {"": _of_no_dict(asked)},
            "scaled": _scaled(asked, {"": {}}, None, {}),
        }
    shared, labels, listed = _one_for_each_type(asked, ropes), _labels(asked, ropes), _layer_bases(asked)
    return {
        "ropes": {"*": shared} if shared else ropes,
        "partial": _partial(asked, ropes),
        "base_keys": {} if shared else _base_keys(asked, ropes),
        "layer_bases": listed,
        "one_base": listed is not None and _only_tells_which_turn(asked, listed),
        "scaled_layers": _scaled_layers(asked),
        "labels": labels,
        "scaled": _scaled(asked, ropes, shared, labels),
        "when_shared": _when_shared(asked, ropes),
        "alpha": _alpha(asked),
    }


def _seen(asked: Asked) -> dict[str, Any]:
    """The rotation of a class that keeps no rope dict, from how fast its slowest pair turns."""
    rotation = next((layer.rotation for layer in asked.usual if layer.rotation is not None), None)
    if rotation is None:
        raise NotRun("nothing was seen to turn")
    count = len({f"{frequency:.5g}" for frequency in rotation.frequencies})  # sections may have a series each
    base = float(min(rotation.frequencies)) ** (-count / (count - 1))
    return {"rope_theta": float(f"{base:.4g}"), "rope_type": "default"}


def _of_no_dict(asked: Asked) -> list[str]:
    """The keys of a base that a class without a rope dict reads."""
    found = []
    for key in asked.keys(_OF_A_BASE):
        layers = asked.tried({key: OTHER_BASE}) if key in asked.defaults else None
        if layers is not None and list(map(slowest, layers)) != list(map(slowest, asked.usual)):
            found.append(key)
    return found


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


def _only_tells_which_turn(asked: Asked, key: str) -> bool:
    """Whether layers that turn anyway turn no otherwise by another base in such a list."""
    layers = asked.tried({key: [OTHER_BASE] * len(asked.usual)}) or ()
    return all(
        now.rotation == then.rotation
        for now, then in zip(layers, asked.usual, strict=True)
        if then.rotation is not None
    )


def _scaled_layers(asked: Asked) -> str | None:
    """A key that lists the layers that a scaling is for."""
    rope = {**_LINEAR, "rope_theta": _PLAIN_BASE}
    for key in asked.keys(_OF_SCALED_LAYERS):
        one, every = asked.tried({"rope_parameters": rope, key: [0]}), asked.tried({"rope_parameters": rope})
        if one and every and [a.index for a, b in zip(one, every, strict=True) if a.rotation == b.rotation] == [0]:
            return key
    return None


def _labels(asked: Asked, ropes: Mapping[str, Any]) -> dict[str, str]:
    """Layer type -> label, where labels are not names of layer types."""
    types = {layer.layer_type for layer in asked.usual}
    if len(ropes) < 2 or types.issuperset(ropes):
        return {}
    found = {}
    for label, rope in ropes.items():
        other = asked.tried({"rope_parameters": {**ropes, label: {**(rope or {}), "rope_theta": OTHER_BASE}}})
        for now, then in zip(other or (), asked.usual, strict=bool(other)):
            if now.rotation != then.rotation and now.layer_type != label:
                found[now.layer_type] = label
    return dict(sorted(found.items()))


def _scaled(asked: Asked, ropes: Mapping[str, Any], shared: Mapping[str, Any] | None, labels: Mapping[str, str]) -> Any:
    """The labels that a rope dict without labels reaches; None: all, or none is accepted by a class without labels.

    By key where version 4's rope_scaling reaches others than version 5's rope_parameters.
    """
    plain: dict[str, Any] = {"rope_parameters": LEFT_OUT, "rope_theta": _PLAIN_BASE}
    if shared:
        plain["layer_types"] = ["full_attention", "sliding_attention"] * (len(asked.usual) // 2)
    old = _reached(asked, plain, {**plain, "rope_scaling": _LINEAR}, labels)
    by_old = ([] if len(ropes) > 1 else None) if old is _NO_MODEL else old
    if set(ropes) != {""}:
        return by_old  # a class with labels has no rope_parameters without them
    usual = {"rope_type": "default", "rope_theta": _PLAIN_BASE}
    new = _reached(asked, {"rope_parameters": usual}, {"rope_parameters": {**usual, **_LINEAR}}, labels)
    return by_old if new is _NO_MODEL or new == by_old else {"rope_parameters": new, "rope_scaling": by_old}


def _reached(asked: Asked, plain: Mapping[str, Any], scaled: Mapping[str, Any], labels: Mapping[str, str]) -> Any:
    """The labels that turn otherwise once there is a scaling; None: all that turn; _NO_MODEL where none is made."""
    before, after = asked.tried(plain), asked.tried(scaled)
    if before is None or after is None or len(before) != len(after):
        return _NO_MODEL

    def label(layer: Any) -> str:
        return labels.get(layer.layer_type, layer.layer_type)

    turning = {label(layer) for layer in before if layer.rotation}
    reached = {label(now) for now, then in zip(after, before, strict=True) if now.rotation != then.rotation}
    return None if turning == reached else sorted(reached)


def _when_shared(asked: Asked, ropes: Mapping[str, Any]) -> dict[str, Any]:
    """By label, what a class makes of a rope dict that is not by label, where it does not make what it usually does."""
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
    found: dict[str, Any] = {}
    for label, rope in (asked.ropes({"rope_scaling": _LINEAR}) or {}).items():
        default = (ropes.get(label) or {}).get("rope_theta")
        if label in ropes and rope and rope.get("rope_type") == "linear" and rope.get("rope_theta") != default:
            found[label] = {"base": rope["rope_theta"], "base_keys": []}
    for key in asked.keys(_OF_A_BASE, "rope_theta") if found else ():
        for label, rope in (asked.ropes({"rope_scaling": _LINEAR, key: OTHER_BASE}) or {}).items():
            if label in found and rope["rope_theta"] == OTHER_BASE:
                found[label]["base_keys"].append(key)
    for label, rope in (asked.ropes({"rope_scaling": yarn}) or {}).items():
        if rope and rope.get("rope_type") == "yarn":
            adds = {key: rope[key] for key in sorted(rope) if key not in {*yarn, "rope_theta", "type", _PART}}
            if adds:
                found.setdefault(label, {})["yarn_adds"] = adds
    return dict(sorted(found.items()))


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
