"""The type of each layer, and which layers rotate."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yarncore._arguments import is_number
from yarncore.configs.huggingface.facts import Facts
from yarncore.configs.keys import Keys, warn
from yarncore.configs.model_ropes import FULL
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope

NO_ROPE = "no_rope"

_LISTS = ("layer_types", "layers_block_type")
_COUNTS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_attention_layers")
# Other names of layer types, in files of older versions (transformers, configuration_utils.py).
_OTHER_NAMES = {
    "mamba": "linear_attention",
    "attention": FULL,
    "deepseek_sparse_attention": "indexed_attention",
    "qwen_sparse_attention": "indexed_attention",
}
# Layers that have neither queries nor keys.
_NO_ATTENTION = frozenset(["conv", "mlp", "moe", "mamba", "mamba2", "recurrent"])
# Keys that say in words of their own which layer is of which type; their lists are not read.
_OTHER_PATTERNS = frozenset(
    [
        "full_attn_idxs", "attn_layer_indices", "attn_layer_offset", "compress_ratios", "hybrid_override_pattern",
        "attn_type_list", "linear_attn_config", "local_layer_ids", "hybrid_layer_pattern", "block_types",
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LayerNames:
    """The type of each layer, or of those of one period.

    Attributes
    ----------
    names : tuple of str
    all : bool
        These are all the layers.
    listed : bool
        By the file itself.
    known : bool
        By the file or by the class; else nothing says that layers differ.
    """

    names: tuple[str, ...]
    all: bool
    listed: bool
    known: bool


def layer_names(config: Keys, facts: Facts) -> LayerNames:
    """The type of each layer, as the file lists it or as the class makes it."""
    if facts.parts:
        each = [(part["name"], config.agreeing(*part["layers"]) or part["layers"][0]) for part in facts.parts]
        by_part = tuple(name for name, key in each for _ in range(config.layers(key) or 0))
        return LayerNames(by_part, all=True, listed=False, known=True)
    count = next((config.layers(key) for key in _COUNTS if config.has(key)), None)
    for key in _LISTS:
        listed = config.raw(key)
        if listed is not None:
            if not isinstance(listed, (list, tuple)) or not all(isinstance(name, str) for name in listed):
                raise config.error(key, "a list of names")
            return LayerNames(tuple(listed[:count]), all=True, listed=True, known=True)
    coded = None if facts.layer_codes is None else _decoded(config, facts.layer_codes)
    if coded is not None:
        return LayerNames(coded[:count], all=True, listed=True, known=True)
    if config.has("attn_layer_indices") and count is not None:  # transformers, configuration_bamba.py
        indices = config.raw("attn_layer_indices")
        if not isinstance(indices, (list, tuple)) or not all(type(n) is int and 0 <= n < count for n in indices):
            raise config.error("attn_layer_indices", f"a list of layers, from 0 to {count - 1},")
        by_index = tuple(FULL if n in indices else "linear_attention" for n in range(count))
        return LayerNames(by_index, all=True, listed=True, known=True)
    if facts.layer_types is None:
        return LayerNames((FULL,) * (count or 1), all=count is not None, listed=False, known=False)
    first, period, last = (_named(facts.layer_types, part) for part in ("first", "period", "last"))
    period = _period(config, facts.layer_types, period)
    if count is None:
        return LayerNames((*first, *period, *last), all=False, listed=False, known=True)
    names = [*first, *period * count][:count]
    told = not any(config.has(key) for key in _OTHER_PATTERNS)
    return LayerNames((*names[: count - len(last)], *last), all=told, listed=False, known=True)


def _decoded(config: Keys, codes: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names of layer types that the file's list of their numbers stands for; None where it has no such list."""
    listed, names = config.raw(codes["key"]), codes["names"]
    if listed is None:
        return None
    if not isinstance(listed, (list, tuple)) or not all(type(n) is int and str(n) in names for n in listed):
        raise config.error(codes["key"], f"a list of {' and '.join(f'{n} ({name})' for n, name in names.items())}")
    return tuple(names[str(n)] for n in listed)


def _named(pattern: Mapping[str, Any], part: str) -> tuple[str, ...]:
    value = pattern.get(part)
    return () if not value else (value,) if isinstance(value, str) else tuple(value)


def _period(config: Keys, pattern: Mapping[str, Any], period: tuple[str, ...]) -> tuple[str, ...]:
    """One period of layer types: the class's, or that which the file asks for: every n-th, or letters (L and G)."""
    key = pattern.get("period_key")
    if key is None or not config.has(key):
        return period
    given = config.raw(key)
    if isinstance(given, str):
        if not given or set(given) - {"L", "G"}:
            raise config.error(key, "a number of layers, or letters L and G")
        return tuple(period[-1] if letter == "G" else period[0] for letter in given)
    return (period[0],) * ((config.layers(key) or 1) - 1) + (period[-1],)


def label_of(facts: Facts, name: str, labels: Mapping[str, Any]) -> str | None:
    """The label under which a layer type's rope dict stands; None where there is none."""
    for label in (facts.labels.get(name), name, _OTHER_NAMES.get(name), ""):
        if label is not None and label in labels:
            return label
    return None


def is_still(config: Keys, facts: Facts, name: str) -> bool:
    """Whether layers of a type do not rotate."""
    if name in _NO_ATTENTION:
        return True
    if facts.still_while is not None:
        key = facts.still_while
        if config.mapping.get(key, facts.defaults.get(key)) is None:
            return False
    return name in facts.still or _OTHER_NAMES.get(name) in facts.still


def arranged(
    config: Keys, facts: Facts, ropes: Mapping[str, Rope | None], layers: LayerNames
) -> tuple[dict[str, Rope | None], tuple[str, ...]]:
    """Layer type -> Rope or None, and the type of each layer where the file tells how many there are.

    Raises
    ------
    ConfigError
        Where a layer type has no rope dict, though others have.
    """
    if (
        not layers.known and label_of(facts, FULL, ropes) is None
    ):  # labels of the file's own; nothing says of which layers
        return dict(ropes), ()
    names, every_layer = layers.names, layers.all
    bases, flags = _bases(config, facts), _flags(config, facts, len(names) if layers.all else None)
    if facts.one_base:
        _warn_of_unread_bases(config, facts, bases, ropes)
    scaled = _scaled_layers(config, facts, len(names) if layers.all else None)
    if not layers.all and (flags or bases):
        every_layer = bool(bases) or config.has(str(facts.layer_flags and facts.layer_flags["key"]))
        names = names * (len(bases) or len(flags))
        names = names[: len(bases) or len(flags)] if every_layer else names
    found: dict[str, list[Rope | None]] = {}
    single = []
    for index, name in enumerate(names):
        rope = _rope_of(config, facts, ropes, name, bases[index] if bases else None)
        rope = None if flags and not flags[index % len(flags)] else rope
        if rope is not None and scaled is not None and index not in scaled:
            rope = dataclasses.replace(rope, scaling=None)
        kinds = found.setdefault(name, [])
        if rope not in kinds:
            kinds.append(rope)
        single.append((name, rope))
    mapping = {_name(name, kinds, rope): rope for name, kinds in found.items() for rope in kinds}
    if not layers.listed or not set(ropes) & set(mapping):  # labels that a caller may know, too
        mapping |= {label: rope for label, rope in ropes.items() if label and label not in mapping}
    return mapping, tuple(_name(name, found[name], rope) for name, rope in single) if every_layer else ()


def _bases(config: Keys, facts: Facts) -> tuple[float, ...]:
    """The base of each layer where a key lists them; 0: it does not rotate."""
    listed = None if facts.layer_bases is None else config.raw(facts.layer_bases)
    if not listed:
        return ()
    key = str(facts.layer_bases)
    if not isinstance(listed, (list, tuple)) or not all(is_number(value) and value >= 0 for value in listed):
        raise config.error(key, "a list of numbers, 0 for layers without rotation")
    return tuple(map(float, listed))


def _warn_of_unread_bases(
    config: Keys, facts: Facts, bases: tuple[float, ...], ropes: Mapping[str, Rope | None]
) -> None:
    read = {rope.base for rope in ropes.values() if rope is not None}
    for base in sorted(set(bases) - read - {0.0}):
        warn(
            f"{config.name(str(facts.layer_bases))} has {base:g}, which model_type {config.raw('model_type')!r} takes for no base: "
            f"only 0 and not 0 are told apart, and its module turns at base {', '.join(f'{one:g}' for one in sorted(read))}",
            finding=True,
        )


def _rope_of(
    config: Keys, facts: Facts, ropes: Mapping[str, Rope | None], name: str, base: float | None
) -> Rope | None:
    if base == 0 or (base is None and is_still(config, facts, name)):
        return None
    label = label_of(facts, name, ropes)
    if label is None:
        raise ConfigError(f"{config.name('layer_types')} names {name!r}, for which there is no rope dict")
    rope = ropes[label]
    return rope if rope is None or base is None or facts.one_base else dataclasses.replace(rope, base=base)


def _name(name: str, kinds: list[Rope | None], rope: Rope | None) -> str:
    """A layer type's name; of its own where layers of one type differ."""
    turning = [kind for kind in kinds if kind is not None]
    if rope is None:
        return NO_ROPE if turning else name
    if rope == turning[0]:
        return name
    if rope.base != turning[0].base:
        return f"{name}, base {rope.base:g}"
    return f"{name}, unscaled" if rope.scaling is None else f"{name}, scaled"


def _scaled_layers(config: Keys, facts: Facts, layers: int | None) -> frozenset[int] | None:
    """The layers that a scaling is for, where a key lists them; None: all."""
    listed = None if facts.scaled_layers is None else config.raw(facts.scaled_layers)
    if listed is None:
        return None
    key = str(facts.scaled_layers)
    if layers is None:
        raise config.missing("num_hidden_layers", f"{key} lists some of them")
    if not isinstance(listed, (list, tuple)) or not all(type(n) is int and 0 <= n < layers for n in listed):
        raise config.error(key, f"a list of layers, from 0 to {layers - 1},")
    return frozenset(listed)


def _flags(config: Keys, facts: Facts, layers: int | None) -> list[bool]:
    """Whether each layer rotates, where a key of its own says so; empty where none does."""
    if facts.layer_flags is None:
        return []
    key, interval_key = facts.layer_flags["key"], facts.layer_flags.get("interval_key")
    listed = config.raw(key)
    every = config.layers(interval_key) if interval_key else None  # counts as read also where the list stands for it
    if listed:
        if not isinstance(listed, (list, tuple)) or not all(n in (0, 1) for n in listed):
            raise config.error(key, "a list of 0 (no rotation) and 1")
        if layers and len(listed) != layers:
            raise config.error(key, f"one entry for each of {layers} layers")
        return [bool(n) for n in listed]
    interval = every or facts.layer_flags["interval"]
    return [(i + 1) % interval != 0 for i in range(layers or interval)]
