"""What a model type does beyond its keys: asked by changing one key at a time and running the model again."""

import inspect
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from needed_keys import LEFT_OUT
from rotary_classes import RotaryModel
from running import LayerRun, NotRun, run
from tiny import tiny_config, tiny_keys

# Keys that may have a say, by their names. Which of them have one is found by changing them.
_OF_A_BASE = re.compile(r"theta|base_freq|rotary_embedding_base|rotary_emb_base|^rope_base$")
_OF_A_HEAD = re.compile(r"^(global_|swa_|attention_|qk_rope_)?head_dim$|^kv_channels$|^head_size$")
_OF_A_PART = re.compile(r"^partial_rotary_factor$|^rotary_dim$|^rotary_pct$|^rope_pct$|^rotary_emb_fraction$")
_OF_STILLNESS = re.compile(r"nope|no_rope|position_embedding_type|use_mem_rope|use_rotary|^alibi$|use_rope")
_OF_A_PERIOD = re.compile(r"pattern$|interval$|every_n_layers$|layer_group_size$")
_ALWAYS = {"rope_theta", "head_dim", "partial_rotary_factor"}
_OTHER_BASE = 54321.0
_LAYERS_TO_SEE = 48


class Model:
    """A model type that can be asked."""

    def __init__(self, rotary: RotaryModel) -> None:
        self.rotary = rotary
        self.config_class = rotary.config()
        self.defaults = self.config({}).to_dict()
        self._words = set(re.findall(r'"(\w+)"', Path(inspect.getfile(self.config_class)).read_text()))
        self.usual = self.run({})

    def run(self, given: Mapping[str, Any], length: int = 64) -> tuple[LayerRun, ...]:
        return run(self.rotary, self.config(given), length)

    def config(self, given: Mapping[str, Any]) -> Any:
        try:
            return tiny_config(self.config_class, given)
        except Exception as error:
            raise NotRun(f"its configuration raises {type(error).__name__}: {str(error)[:160]}") from error

    def tried(self, given: Mapping[str, Any], length: int = 64) -> tuple[LayerRun, ...] | None:
        """A run, or None where the key makes no model."""
        try:
            return self.run(given, length)
        except NotRun:
            return None

    def keys(self, pattern: re.Pattern[str]) -> list[str]:
        """The keys that a pattern finds among those of a configuration, and among the words of the file of its class."""
        return sorted(key for key in {*self.defaults, *self._words, *_ALWAYS} if pattern.search(key))


def facts_of(rotary: RotaryModel) -> dict[str, Any]:
    """Every fact about a model type.

    Raises
    ------
    NotRun
        Where not even its default configuration makes a model that runs.
    """
    model = Model(rotary)
    facts: dict[str, Any] = {"source": rotary.source, "class": rotary.model_class}
    facts["pairs"] = _pairs(model)
    facts["ropes"] = _ropes(model)
    facts["bare_base"] = _bare_base(model)
    facts["base_keys"] = _base_keys(model)
    facts["head_dim"] = _head_dim(model)
    facts["rotary_dim"] = _rotary_dim(model)
    facts["layer_types"] = _layer_types(model)
    facts["still"] = sorted(_still_types(model.usual))
    facts["still_by"] = _still_by(model)
    facts |= _scaled(model)
    facts["softmax_mscale"] = _softmax_mscale(model)
    facts["sections"] = _sections(model)
    facts["refuse"] = None
    facts["note"] = None
    return facts


def _pairs(model: Model) -> Any:
    usual = _layout(model.usual)
    if "rope_interleave" not in model.defaults:
        return usual
    on, off = (_layout(model.run({"rope_interleave": flag})) for flag in (True, False))
    return usual if on == off else {"key": "rope_interleave", "true": on, "false": off, "absent": usual}


def _layout(layers: tuple[LayerRun, ...]) -> str:
    layouts = {layer.rotation.layout for layer in layers if layer.rotation is not None}
    return layouts.pop() if len(layouts) == 1 else " and ".join(sorted(layouts)) or "none"


def _ropes(model: Model) -> dict[str, Any]:
    """The rope dicts of a file that says nothing."""
    given = model.config_class.from_dict(_as_little_as_possible(model)).to_dict().get("rope_parameters")
    return _by_name(given)


def _as_little_as_possible(model: Model) -> dict[str, Any]:
    return {"vocab_size": 33} if model.config_class.__name__ == "EsmConfig" else {}


def _by_name(ropes: Any) -> dict[str, Any]:
    if not ropes:
        return {}
    if all(value is None or isinstance(value, Mapping) for value in ropes.values()):
        return {name: value if value is None else dict(value) for name, value in ropes.items()}
    return {"": dict(ropes)}


def _bare_base(model: Model) -> Any:
    """What a file with a base and no rope dict means, where it is not the plain rotation of that base everywhere."""
    given = {**_as_little_as_possible(model), "rope_theta": _OTHER_BASE}
    try:
        ropes = _by_name(model.config_class.from_dict(given).to_dict().get("rope_parameters"))
    except Exception as error:
        return f"not accepted: {type(error).__name__}: {error}"
    plain = all(
        rope is None or (rope.get("rope_type") == "default" and rope.get("rope_theta") == _OTHER_BASE)
        for rope in ropes.values()
    )
    if ropes and plain:
        return None
    return {
        name: rope if rope is None else {key: "given" if value == _OTHER_BASE else value for key, value in rope.items()}
        for name, rope in ropes.items()
    }


def _base_keys(model: Model) -> dict[str, Any]:
    """Each key that changes how fast something turns, with the layer types whose base it is."""
    found = {}
    for key in model.keys(_OF_A_BASE):
        value = model.defaults.get(key)
        other = [_OTHER_BASE] * len(value) if isinstance(value, list) else _OTHER_BASE
        changed = _changed(model, {key: other})
        if changed:
            found[key] = {"default": value, "layers": changed}
    return found


def _changed(model: Model, given: Mapping[str, Any]) -> list[str]:
    """The types of layers whose slowest pair turns otherwise."""
    layers = model.tried(given)
    if layers is None or len(layers) != len(model.usual):
        return []
    pairs = zip(layers, model.usual, strict=True)
    return sorted({now.layer_type for now, then in pairs if _slowest(now) != _slowest(then)})


def _slowest(layer: LayerRun) -> float | None:
    return min(layer.rotation.frequencies) if layer.rotation is not None and layer.rotation.pairs else None


def _head_dim(model: Model) -> dict[str, Any]:
    """The keys that change the length of what is rotated, and what it is without them."""
    keys = {}
    for key in model.keys(_OF_A_HEAD):
        layers = model.tried({key: 48})
        changed = (
            []
            if layers is None
            else sorted(
                {now.layer_type for now, then in zip(layers, model.usual, strict=False) if _size(now) != _size(then)}
            )
        )
        if changed:
            keys[key] = changed
    dims = {layer.layer_type: _size(layer)[0] for layer in model.usual if layer.rotation is not None}
    default: Any = sorted(set(dims.values()))
    wide = _twice_as_wide(model)
    if wide is not None:
        after = sorted({_size(layer)[0] for layer in wide if layer.rotation is not None})
        if after == [2 * dim for dim in default]:
            default = "hidden/heads"
    if isinstance(default, list):
        default = default[0] if len(default) == 1 else dims
    return {"keys": keys, "default": default}


def _size(layer: LayerRun) -> tuple[int, int]:
    return (0, 0) if layer.rotation is None else (layer.rotation.dim, len(layer.rotation.pairs))


def _twice_as_wide(model: Model) -> tuple[LayerRun, ...] | None:
    widths = [key for key in ("hidden_size", "n_embd", "d_model", "attention_hidden_size") if key in model.defaults]
    given: dict[str, Any] = {key: 2 * model.defaults[key] for key in widths}
    return model.tried({**given, **({"head_dim": LEFT_OUT} if "head_dim" in tiny_keys(model.defaults) else {})})


def _rotary_dim(model: Model) -> dict[str, Any] | None:
    """The keys that change which part of a head turns, beside partial_rotary_factor in the rope dict."""
    found = {}
    for key in model.keys(_OF_A_PART):
        value: Any = 16 if key == "rotary_dim" else 0.125
        layers = model.tried({key: value})
        if layers is not None and [_size(layer) for layer in layers] != [_size(layer) for layer in model.usual]:
            found[key] = model.defaults.get(key)
    return found or None


def _layer_types(model: Model) -> dict[str, Any] | None:
    """The types of a long model's layers where its file lists none: one period, or the list where there is none."""
    types = _long_types(model, {})
    if types is None or len(set(types)) <= 1:
        return None if types is None else {"pattern": types[:1]}
    found: dict[str, Any] = {"pattern": _period(types)}
    for key in model.keys(_OF_A_PERIOD):
        if isinstance(model.defaults.get(key), int):
            other = _long_types(model, {key: 3})
            if other is not None and other != types:
                found["period_key"] = key
    return found


def _long_types(model: Model, given: Mapping[str, Any]) -> list[str] | None:
    layers_key = next((key for key in ("num_hidden_layers", "n_layer", "n_layers") if key in model.defaults), None)
    if layers_key is None:
        return None
    try:
        config = model.config_class.from_dict({layers_key: _LAYERS_TO_SEE, **_as_little_as_possible(model), **given})
    except Exception:
        return None
    types = getattr(config, "layer_types", None)
    return list(types) if types and len(types) == _LAYERS_TO_SEE else None


def _period(types: list[str]) -> list[str]:
    for length in range(1, len(types) // 2 + 1):
        if all(kind == types[i % length] for i, kind in enumerate(types)):
            return types[:length]
    return types


def _still_types(layers: tuple[LayerRun, ...]) -> set[str]:
    turning = {layer.layer_type for layer in layers if layer.rotation is not None}
    return {layer.layer_type for layer in layers} - turning


def _stillness(layers: tuple[LayerRun, ...]) -> list[int]:
    return [layer.index for layer in layers if layer.rotation is None]


def _still_by(model: Model) -> dict[str, Any] | None:
    """The key that decides which layers turn, its default, and what other values do."""
    for key in model.keys(_OF_STILLNESS):
        default = model.defaults.get(key)
        for other in _other_values(default, len(model.usual)):
            layers = model.tried({key: other})
            if layers is not None and _stillness(layers) != _stillness(model.usual):
                return {"key": key, "default": default, "tried": other, "still": _stillness(layers)}
    return None


def _other_values(default: Any, layers: int) -> list[Any]:
    if isinstance(default, bool):
        return [not default]
    if isinstance(default, list):
        return [[0] + [1] * (layers - 1), [1] + [0] * (layers - 1)]
    if isinstance(default, int):
        return [2]
    return ["nope", "rope", True]


def _scaled(model: Model) -> dict[str, Any]:
    """The layers that turn but do not get the scaling of a file, in the old spelling and in a flat new one."""
    old = {"rope_parameters": LEFT_OUT, "rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 4.0}}
    new = {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}}
    plain = {"rope_parameters": LEFT_OUT, "rope_theta": 10000.0}
    return {"plain": _unscaled(model, plain, old), "plain_when_new_and_flat": _unscaled(model, plain, new)}


def _unscaled(model: Model, without: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    before, after = model.tried(without), model.tried(given)
    if before is None or after is None or len(before) != len(after):
        return "not run"
    return sorted(
        {
            now.layer_type
            for now, then in zip(after, before, strict=True)
            if now.rotation and now.rotation == then.rotation
        }
    )


def _softmax_mscale(model: Model) -> Any:
    """Whether the logits are multiplied by the square of the temperature that mscale_all_dim makes."""
    factor, base = 4.0, 10000.0
    rope = {"rope_type": "yarn", "factor": factor, "rope_theta": base, "original_max_position_embeddings": 32}
    layers = [
        model.tried({"rope_parameters": {**rope, **more}}) for more in ({}, {"mscale": 1.0, "mscale_all_dim": 1.0})
    ]
    if layers[0] is None or layers[1] is None:
        return "not run"
    ratios = {b.scaling / a.scaling for a, b in zip(*layers, strict=True) if a.scaling is not None and b.scaling}
    of_temperature = (0.1 * math.log(factor) + 1) ** 2
    if all(ratio == 1 for ratio in ratios):
        return False
    return True if all(abs(ratio / of_temperature - 1) < 1e-6 for ratio in ratios) else f"other: {sorted(ratios)}"


def _sections(model: Model) -> dict[str, Any] | None:
    """Which section each pair turns by, where positions have several."""
    seen = {layer.rotation.sections for layer in model.usual if layer.rotation is not None}
    if not any(len(set(sections)) > 1 for sections in seen):
        return None
    if len(seen) > 1:
        return {"order": "several"}
    sections = [section or 0 for section in seen.pop()]
    counts = [sections.count(section) for section in range(max(sections) + 1)]
    return {"order": _order(sections, counts), "default": counts}


def _order(sections: list[int], counts: list[int]) -> str:
    contiguous = [section for section, count in enumerate(counts) for _ in range(count)]
    interleaved = [0] * len(sections)
    for section, count in list(enumerate(counts))[1:]:
        for i in range(section, min(len(counts) * count, len(sections)), len(counts)):
            interleaved[i] = section
    in_turn = [1 + i % 2 for i in range(counts[1] + counts[2])] + [0] * counts[0] if len(counts) == 3 else None
    orders = {"contiguous": contiguous, "interleaved": interleaved, "height-width-in-turn": in_turn}
    return next((name for name, order in orders.items() if order == sections), "".join(map(str, sections)))
