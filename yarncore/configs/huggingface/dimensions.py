"""How long a head is, and how much of it turns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yarncore.configs.huggingface.facts import Facts
from yarncore.configs.huggingface.rope_dicts import RopeDict, at_layers
from yarncore.configs.keys import Keys, warn
from yarncore.errors import ConfigError

_HIDDEN = ("hidden_size", "n_embd", "d_model")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
_KEY_HEADS = ("num_key_value_heads", "num_kv_heads", "multi_query_group_num", "attn_config.kv_n_heads")
_SLICE = "qk_rope_head_dim"


@dataclass(frozen=True, slots=True)
class Heads:
    """Heads of q and of k, how much of a query head stands beside what the Rope sees, and heads made behind the rotation."""

    of_queries: int
    of_keys: int
    query_elements_beside: int
    split_into: int = 1


def heads(config: Keys, facts: Facts) -> Heads:
    """What attention's shape is; 1 head where the file does not tell."""
    if facts.parts:
        return _of_both(config, facts.parts)
    queries = _first(config, _HEADS) or 1
    if facts.whole_width:
        return Heads(1, 1, 0, split_into=queries)
    if is_sliced(config, facts):
        return Heads(queries, 1, config.count("qk_nope_head_dim", least=0) or 0)
    one = config.raw("multi_query") is True and not config.raw("new_decoder_architecture")
    return Heads(queries, 1 if one else _first(config, _KEY_HEADS) or queries, 0)


def _of_both(config: Keys, parts: Sequence[Mapping[str, Any]]) -> Heads:
    """The heads of an encoder and a decoder, whose class gives both the encoder's."""
    counts: list[tuple[int, int]] = []
    for part in parts:
        key, key_heads = (config.agreeing(*part[what]) or part[what][0] for what in ("heads", "key_heads"))
        queries = config.count(key) or 1
        counts.append((queries, config.count(key_heads) or queries))
        if counts[-1] != counts[0]:
            first = parts[0]["heads"][0]
            raise ConfigError(
                f"{config.name(first)} is {counts[0][0]} and {key} {queries}, with {counts[0][1]} and {counts[-1][1]} heads of "
                f"keys; they must agree, for the model's class makes the {part['name']} with the numbers of the "
                f"{parts[0]['name']}"
            )
    return Heads(*counts[0], 0)


def _first(config: Keys, keys: tuple[str, ...]) -> int | None:
    """The number under the first key that the file has; else that of the class."""
    for key in (*filter(config.has, keys), *keys):
        count = config.count(key)
        if count is not None:
            return count
    return None


def is_sliced(config: Keys, facts: Facts) -> bool:
    """Whether only a slice of each head is rotated, kept apart from the rest (MLA)."""
    return any(_SLICE in spec["keys"] for spec in facts.head_dim.values())


def head_dim(config: Keys, facts: Facts, label: str, names: tuple[str, ...]) -> int:
    """Elements of what is rotated: 0 where there is nothing to rotate."""
    own = _of_single_layers(config, label, names)
    if own is not None:
        return own
    for spec in (facts.head_dim.get(label), facts.head_dim.get("")):
        if spec is None:
            continue
        for key in spec["keys"]:
            given = config.count(key, least=0)
            if given is not None:
                if given % 2:
                    raise config.error(key, "an even number")
                return given
        if isinstance(spec["default"], int):
            return spec["default"]
        if isinstance(spec["default"], (list, tuple)):
            return _of_keys(config, *spec["default"])
        if spec["default"] is None:
            raise config.missing(spec["keys"][0], "how many elements of a head turn")
        if spec["default"] == "hidden//heads":
            return _rounded_down(config)
        return _derived(config, 2 if str(spec["default"]).startswith("2*") else 1)
    raise config.missing("head_dim", "nothing says how long a head is")


def _derived(config: Keys, times: int) -> int:
    hidden, number = _first(config, _HIDDEN), _first(config, _HEADS)
    whole = any(map(config.has, _HIDDEN)) and any(map(config.has, _HEADS))
    stated = None if whole else config.count("head_dim")
    if stated is not None:  # nothing in the file for it to disagree with
        return stated
    if hidden is None or number is None:
        raise config.missing("head_dim", "neither it nor hidden_size and num_attention_heads say how long a head is")
    if not whole:
        warn(
            f"{config.name('head_dim')} is missing; with what its class has where the file says nothing it is {hidden} / "
            f"{number} = {times * hidden / number:g}"
        )
    if times * hidden % number or (times * hidden // number) % 2:
        raise ConfigError(
            f"{config.name('hidden_size')} is {hidden} and num_attention_heads {number}; head_dim is not given, and their "
            "quotient must be an even number"
        )
    return times * hidden // number


def _of_keys(config: Keys, width: str, *numbers: str) -> int:
    """What is left of a width that keys divide, for classes with words of their own for them."""
    counts = [config.count(key) for key in (width, *numbers)]
    for key, count in zip((width, *numbers), counts, strict=True):
        if count is None:
            raise config.missing(key, "how long a head is")
    hidden, *divisors = (count or 1 for count in counts)
    by = math.prod(divisors)
    if hidden % by or (hidden // by) % 2:
        told = " and ".join(f"{key} {count}" for key, count in zip(numbers, divisors, strict=True))
        raise ConfigError(
            f"{config.name(width)} is {hidden} and {told}; their quotient, an even number, is how long a head is"
        )
    return hidden // by


def _rounded_down(config: Keys) -> int:
    """hidden_size // num_attention_heads, for code that takes it so although something is left over."""
    hidden, number = _first(config, _HIDDEN), _first(config, _HEADS)
    if hidden is None or number is None or hidden // number < 2:
        return _derived(config, 1)
    if hidden % number:
        warn(
            f"{config.name('hidden_size')} is {hidden} and num_attention_heads {number}: the model's code takes "
            f"{hidden // number} elements a head"
        )
    return hidden // number


def _of_single_layers(config: Keys, label: str, names: tuple[str, ...]) -> int | None:
    """head_dim of a layer type from per_layer_config, where transformers 5 keeps what single layers have of their own."""
    layers = config.raw("per_layer_config")
    if not layers:
        return None
    if not isinstance(layers, Mapping) or not all(isinstance(own, Mapping) for own in layers.values()):
        raise config.error("per_layer_config", "an object of objects, by layer")
    found = {
        own.get(_SLICE, own.get("head_dim"))
        for layer, own in layers.items()
        if str(layer).isdigit() and names[int(layer) : int(layer) + 1] == (label,)
    } - {None}
    if len(found) > 1:
        raise config.error("per_layer_config", f"one head_dim for all layers of type {label!r}")
    return Keys({"head_dim": found.pop()}, config.where, "per_layer_config").count("head_dim") if found else None


def rotary_dim(config: Keys, facts: Facts, rope: RopeDict, kind: str, names: tuple[str, ...], of: int) -> int:
    """How many elements of a head of `of` turn: int(of * partial_rotary_factor), as transformers rounds it."""
    if is_sliced(config, facts):
        rope.keys.number("partial_rotary_factor", above=0)
        return of
    if facts.whole_width:
        _check_series(config, facts, rope, names, of)
        return of
    found: dict[str, int] = {}
    inside = rope.keys.number("partial_rotary_factor", above=0)
    outside = at_layers(config, facts.partial_keys, rope.label, names, above=0)
    if inside is not None:
        found[rope.keys.name("partial_rotary_factor")] = _part(rope.keys.name("partial_rotary_factor"), inside, of)
    if outside is not None and not (rope.by_label and inside is not None):
        name = config.name(outside[0])
        part = _part(name, outside[1], of)
        found = {name: part} if not rope.of_file else found | {name: part}
    for key in facts.rotary_dim["keys"]:
        if config.has(key):
            found[config.name(key)] = config.count(key) or 0
    if len(set(found.values())) > 1:
        raise ConfigError(
            " and ".join(f"{name} makes rotary_dim {dim}" for name, dim in found.items()) + "; they must agree"
        )
    name, dim = next(iter(found.items())) if found else _default_part(config, facts, rope.label, of)
    if dim < 2 or dim % 2 or dim > of:
        raise ConfigError(
            f"{name} makes rotary_dim {dim} of head_dim {of}; an even number from 2 to head_dim is expected"
        )
    if dim != of and kind == "default" and "partial_rotary_factor" in facts.unread and name in found:
        warn(
            f"{name} makes rotary_dim {dim} of head_dim {of}, as the file says and engines read it; transformers' module of "
            f"model_type {config.raw('model_type')!r} turns all {of} all the same",
            finding=True,
        )
    return dim


def _check_series(config: Keys, facts: Facts, rope: RopeDict, names: tuple[str, ...], of: int) -> None:
    """A width that turns at once has to fit the heads behind it, and the series of frequencies that the class makes of one.

    (transformers 5.24.0, modeling_efficientloftr.py: compute_default_rope_parameters, compute_embeddings.)
    """
    count, sections = heads(config, facts).split_into, len(facts.sections["positions"]) if facts.sections else 1
    if of % count or of % (2 * sections):
        raise ConfigError(
            f"{config.where}: the width is {of} and num_attention_heads {count}; a width is expected that both they and "
            f"{2 * sections} divide"
        )
    split = config.count("head_dim")
    if split not in (None, of // count):
        raise config.error("head_dim", f"{of // count}, the width of {of} split into {count} heads,")
    factors = {f"{config.where}: partial_rotary_factor, by default,": facts.partial.get(rope.label, 1.0)}
    inside = rope.keys.number("partial_rotary_factor", above=0)
    outside = at_layers(config, facts.partial_keys, rope.label, names, above=0)
    given = {rope.keys.name("partial_rotary_factor"): inside} if inside is not None else {}
    given |= {config.name(outside[0]): outside[1]} if outside is not None else {}
    for name, factor in (given or factors).items():
        if not of // sections <= of // count * factor < of // sections + 1:
            raise ConfigError(
                f"{name} is {factor:g}; {count / sections:g} is expected, which makes of a head of {of // count} elements the "
                f"{of // sections} that turn by each of {sections} positions: with another factor its model does not run"
            )


def _part(name: str, factor: float, of: int) -> int:
    if factor > 1:
        raise ConfigError(f"{name} is {factor:g}; a number > 0 and <= 1 is expected")
    return int(of * factor)


def _default_part(config: Keys, facts: Facts, label: str, of: int) -> tuple[str, int]:
    whose = f"{config.where}: the default of model_type {config.raw('model_type')!r}"
    if facts.rotary_dim["default"] == "equal sections" and facts.sections is not None:
        each = 2 * len(facts.sections["positions"])
        return whose, each * (of // each)
    if facts.rotary_dim["default"] is not None:
        return whose, int(facts.rotary_dim["default"])
    factor: Any = facts.partial.get(label, facts.partial.get("*", 1.0))
    return whose, int(of * factor)
