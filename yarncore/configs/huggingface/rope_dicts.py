"""What a file says of the rotation, by label: one rope dict for all layers, or one for each layer type."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yarncore.configs.huggingface.facts import Facts
from yarncore.configs.keys import Keys, warn
from yarncore.errors import ConfigError

_OWN_SCALING = "rope_type"


@dataclass(frozen=True, slots=True)
class RopeDict:
    """The rope dict of one label.

    Attributes
    ----------
    label : str
        "" for all layers.
    keys : Keys
        Of the file, or the class's own where the file has none for this label.
    of_file : bool
    by_label : bool
        The file keeps it under this label: keys beside it are only the defaults of those that it lacks.
    base : float
    """

    label: str
    keys: Keys
    of_file: bool
    by_label: bool
    base: float


def rope_dicts(config: Keys, facts: Facts, names: tuple[str, ...]) -> dict[str, RopeDict | None]:
    """The rope dict of each label; None where the file or the class says that it is not rotated.

    Parameters
    ----------
    names : tuple of str
        The type of each layer, or of one period of them.
    """
    given, key = _given(config)
    by_label = any(isinstance(value, Mapping) for value in given.values())
    scaled = facts.scaled_by(key)
    if by_label:
        given = _without_dangling(config, key, given)
    elif given and set(facts.ropes) != {""} and scaled is not None:
        if key == "rope_parameters" or not scaled:
            labels = dict.fromkeys(names) if "*" in facts.ropes else facts.ropes
            raise config.error(key, f"one rope dict for each of {', '.join(labels)}")
    elif given and scaled == ():
        warn(
            f"{config.name(key)} is {dict(given)!r}, which this model type does not read: its module does not scale",
            finding=True,
        )
    found = {}
    for label in _labels(facts, names, given if by_label else {}):
        if by_label and label in given:
            own, path = given[label], f"{key}.{label}"
        elif given and not by_label and facts.takes_scaling(label, key):
            own, path = given, key
        else:
            own, path = {}, ""
        found[label] = None if own is None else _rope_dict(config, facts, label, names, own, path, by_label)
    _check_which_are_scaled(config, facts, key, given, by_label)
    return found


def _given(config: Keys) -> tuple[Mapping[str, Any], str]:
    """The file's rope dict in either spelling, and the key it stands under."""
    old, new = config.raw("rope_scaling"), config.raw("rope_parameters")
    for key, value in (("rope_scaling", old), ("rope_parameters", new)):
        if value is not None and not isinstance(value, Mapping):
            raise config.error(key, "an object or null")
    if old and new:
        shared = _normalised(new)
        if {**shared, **_normalised(old)} != shared:
            raise ConfigError(
                f"{config.name('rope_scaling')} is {old!r} and rope_parameters is {new!r}; they must agree"
            )
    return (new, "rope_parameters") if new else (old or {}, "rope_scaling")


def _normalised(values: Mapping[str, Any]) -> dict[str, Any]:
    """A rope dict with one spelling of its type."""
    result = {key: value for key, value in values.items() if key != "type" and value is not None}
    if values.get("type") is not None:
        result.setdefault("rope_type", values["type"])
    return result


def _without_dangling(config: Keys, key: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The dicts by label alone; a type or base that was left beside them is the default of those without.

    So is truncate, which transformers looks for beside them (5.24.0, modeling_rope_utils.py, `_compute_yarn_parameters`).
    """
    dicts = {str(name): value for name, value in given.items() if value is None or isinstance(value, Mapping)}
    beside = {name: value for name, value in given.items() if name not in dicts}
    strange = sorted(set(beside) - {"rope_type", "type", "rope_theta", "truncate"})
    if strange:
        raise ConfigError(f"{config.name(key)}.{strange[0]} stands beside dicts of layer types; it belongs into them")
    truncate = {"truncate": beside.pop("truncate")} if "truncate" in beside else {}
    return {
        name: None if value is None else {**beside, **(truncate if _is(value, "yarn") else {}), **value}
        for name, value in dicts.items()
    }


def _is(rope: Mapping[str, Any], rope_type: str) -> bool:
    return bool(rope.get("rope_type", rope.get("type")) == rope_type)


def _labels(facts: Facts, names: tuple[str, ...], given: Mapping[str, Any]) -> list[str]:
    if "*" in facts.ropes:
        turning = [name for name in dict.fromkeys(names) if name not in facts.still]
        return list(dict.fromkeys([*turning, *given])) or ["full_attention"]
    if set(facts.ropes) == {""} and given:
        return list(given)
    return list(dict.fromkeys([*facts.ropes, *given]))


def _rope_dict(
    config: Keys, facts: Facts, label: str, names: tuple[str, ...], own: Mapping[str, Any], path: str, by_label: bool
) -> RopeDict | None:
    default = facts.ropes.get(label, facts.ropes.get("*", {}))
    if not own and default is None:
        return None
    path = f"{config.path}.{path}" if config.path and path else path or config.path
    if own:
        keys = Keys(own, config.where, path, _added_by_class(facts, label, own, by_label))
    else:
        keys = Keys(default, config.where, path)
        if default.get("rope_type", "default") != "default" or len(set(default) - {"rope_type", "rope_theta"}) > 1:
            warn(
                f"{config.name('rope_parameters')} says nothing of {label or 'the layers'}; transformers supplies {dict(default)!r}"
            )
    return RopeDict(label, keys, bool(own), by_label, _base(config, facts, label, names, keys, default or {}, by_label))


def _added_by_class(facts: Facts, label: str, own: Mapping[str, Any], by_label: bool) -> Mapping[str, Any]:
    """What a class puts into a rope dict of the file that lacks it, and the method reads."""
    if _is(own, "yarn"):
        adds: Mapping[str, Any] = {} if by_label else facts.when_shared.get(label, {}).get("yarn_adds", {})
        return adds
    part = facts.partial.get(label, facts.partial.get("*"))
    return {"partial_rotary_factor": part} if _is(own, "proportional") and part is not None else {}


def _base(
    config: Keys,
    facts: Facts,
    label: str,
    names: tuple[str, ...],
    keys: Keys,
    default: Mapping[str, Any],
    by_label: bool,
) -> float:
    of_file = keys.mapping is not default
    inside = keys.number("rope_theta", above=1)
    words = facts.base_keys_of(label)
    shared = {} if by_label or not of_file else facts.when_shared.get(label, {})
    if "base" in shared:
        words, default = tuple(shared["base_keys"]), {"rope_theta": shared["base"]}
    outside = at_layers(config, words, label, names, above=1)
    if of_file and inside is not None:
        if outside is not None and inside != outside[1] and not by_label:
            raise ConfigError(
                f"{keys.name('rope_theta')} is {inside:g} and {config.name(outside[0])} is {outside[1]:g}; they must agree"
            )
        base = inside
    elif outside is not None:
        base = outside[1]
    else:
        base = _default_base(config, label, words, default)
    times = 1.0 if facts.base_times is None else config.number(facts.base_times, above=0) or 1.0
    return base * times


def _default_base(config: Keys, label: str, words: tuple[str, ...], default: Mapping[str, Any]) -> float:
    model_type = config.raw("model_type")
    base = default.get("rope_theta")
    key = words[0] if words else "rope_theta"
    if base is None:
        known = (
            f"model_type {model_type!r} has no documented default" if model_type else "there is no model_type either"
        )
        raise config.missing(key, f"{known}; the base of the frequencies, a number > 1")
    whose = f"model_type {model_type!r}" + (f" for {label}" if label else "")
    if words:
        warn(f"{config.name(key)} is missing; the default of {whose} is {base:g}")
    else:
        warn(f"{config.where}: no key beside a rope dict gives the base of {whose}; it is {base:g}")
    return float(base)


def at_layers(
    config: Keys, words: tuple[str, ...], label: str, names: tuple[str, ...], *, above: float
) -> tuple[str, float] | None:
    """Which of several keys is given, and its number; that of a label's layers where it lists one for each layer."""
    key = config.agreeing(*words)
    if key is None:
        return None
    value = config.raw(key)
    if not isinstance(value, (list, tuple)):
        return key, config.number(key, above=above) or 0.0
    if not names or len(value) < len(names):
        raise config.error(key, f"a number, or one for each of {len(names) or 'num_hidden_layers'} layers")
    of_label = {str(value[i]): value[i] for i, name in enumerate(names) if label in ("", name)}
    if len(of_label) != 1:
        raise config.error(key, f"one number for all layers of type {label or names[0]!r}")
    entry = Keys({key: next(iter(of_label.values()))}, config.where, config.path)
    return key, entry.number(key, above=above) or 0.0


def _check_which_are_scaled(config: Keys, facts: Facts, key: str, given: Mapping[str, Any], by_label: bool) -> None:
    """Keys that say in other words which layers are scaled."""
    listed = config.raw("yarn_only_types")
    if listed is None or not given or by_label:
        return
    scaled = facts.scaled_by(key)
    if scaled is None or not isinstance(listed, (list, tuple)) or set(listed) != set(scaled):
        known = "all layers" if scaled is None else ", ".join(scaled)
        raise config.error(
            "yarn_only_types", f"what model_type {config.raw('model_type')!r} is known to scale, {known},"
        )


def original_length(config: Keys, dicts: Mapping[str, RopeDict | None]) -> int | None:
    """original_max_position_embeddings, beside the rope dicts or in one; None where there are several, or none."""
    keys = [config, *(own.keys for own in dicts.values() if own is not None)]
    told = (each.lookup("original_max_position_embeddings") for each in keys)
    lengths = {value for value in told if type(value) is int and value > 0}
    return lengths.pop() if len(lengths) == 1 else None
