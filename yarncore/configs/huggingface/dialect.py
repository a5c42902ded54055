"""A mapping in the words of transformers -> ModelRopes."""

import re
from collections.abc import Mapping
from typing import Any

from yarncore.configs.huggingface import model_types
from yarncore.configs.huggingface.methods import IRRELEVANT, METHODS, ModelFacts
from yarncore.configs.keys import Keys, warn
from yarncore.configs.model_ropes import ModelRopes
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope

NAME = "huggingface"

# Where the language model's configuration hides in that of a larger model.
_NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
# Keys that look as if they concerned the rotation, and which of them are understood or known to change nothing here.
_SUSPICIOUS = re.compile(r"rope|rotary|yarn|mscale|(^|_)ntk|partial_rot|position_interp")
_KNOWN = frozenset(
    [
        "rope_theta",
        "rope_scaling",
        "rope_parameters",
        "rope_local_base_freq",
        "rope_base",
        "rope_ratio",
        "rotary_emb_base",
        "rotary_pct",
        "rotary_dim",
        "partial_rotary_factor",
        "qk_rope_head_dim",
        "qk_nope_head_dim",
        "rope_interleave",
        "no_rope_layers",
        "no_rope_layer_interval",
        "global_rope_theta",
        "local_rope_theta",
    ]
)
_BASE_KEYS = ("rope_theta", "rotary_emb_base", "rope_base", "global_rope_theta")
_LOCAL_BASE_KEYS = ("rope_local_base_freq", "local_rope_theta")
FULL, SLIDING, NO_ROPE = "full_attention", "sliding_attention", "no_rope"


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping is a configuration of transformers."""
    mapping = _language_model(mapping)[0]
    return any(
        key in mapping for key in ("model_type", "rope_theta", "rope_scaling", "rope_parameters", "num_attention_heads")
    )


def read(mapping: Mapping[str, Any], where: str, strict: bool) -> ModelRopes:
    """All that a configuration tells of its rotary embeddings.

    Raises
    ------
    ConfigError
        Naming file, key, what it holds and what is accepted.
    """
    mapping, path = _language_model(mapping)
    config = Keys(mapping, where, path)
    suspicious = {key: mapping[key] for key in mapping if _SUSPICIOUS.search(str(key)) and key not in _KNOWN}
    Keys(suspicious, where, path).report_unread(strict)
    model_type = str(config.raw("model_type") or "")
    declared = _layer_types(config, model_type)
    dicts = _rope_dicts(config, declared)
    ropes = {name: _read_one(config, model_type, name, rope, strict) for name, rope in dicts.items()}
    ropes, layer_types = _without_rotation(config, model_type, ropes, declared)
    heads = config.count("num_attention_heads") or config.count("n_head") or 1
    sliced = config.has("qk_rope_head_dim")
    return ModelRopes(
        ropes,
        layer_types,
        model_type=model_type,
        where=where,
        heads=heads,
        key_heads=1 if sliced else config.count("num_key_value_heads") or heads,
        query_elements_beside=config.count("qk_nope_head_dim", least=0) or 0 if sliced else 0,
        advertised_length=config.length("max_position_embeddings"),
    )


def _language_model(mapping: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    path = ""
    while True:
        inner = next((key for key in _NESTED if isinstance(mapping.get(key), Mapping)), None)
        if inner is None:
            return mapping, path
        outer_keys = {key: value for key, value in mapping.items() if key in _KNOWN and value is not None}
        inner_mapping = dict(mapping[inner])
        path = f"{path}.{inner}" if path else inner
        for key, value in outer_keys.items():
            if inner_mapping.get(key) is None:
                inner_mapping[key] = value
            elif inner_mapping[key] != value:
                raise ConfigError(f"{path}.{key} is {inner_mapping[key]!r} and {key} is {value!r}; they must agree")
        mapping = inner_mapping


def _layer_types(config: Keys, model_type: str) -> tuple[str, ...]:
    """The type of each layer: as listed, or by the pattern of the model type; empty where all are alike."""
    listed = config.raw("layer_types")
    if listed is not None:
        if not isinstance(listed, (list, tuple)) or not all(isinstance(name, str) for name in listed):
            raise config.error("layer_types", "a list of names")
        return tuple(listed)
    layers = config.count("num_hidden_layers") or 0
    default = model_types.SLIDING_PATTERNS.get(model_type)
    if default is None:
        return ()
    given = config.raw("sliding_window_pattern")
    if isinstance(given, str):
        return tuple(FULL if given[i % len(given)] == "G" else SLIDING for i in range(layers))
    pattern = config.count("sliding_window_pattern") or default
    return tuple(SLIDING if (i + 1) % pattern else FULL for i in range(layers))


def _rope_dicts(config: Keys, declared: tuple[str, ...]) -> dict[str, Keys | None]:
    """The rope dict of each layer type, in either spelling; the name "" where there is one for all."""
    old, new = config.raw("rope_scaling"), config.raw("rope_parameters")
    for key, value in (("rope_scaling", old), ("rope_parameters", new)):
        if value is not None and not isinstance(value, Mapping):
            raise config.error(key, "an object or null")
    if old and new:
        shared = {**_normalised(new)}
        if {**shared, **_normalised(old)} != shared:
            raise ConfigError(
                f"{config.name('rope_scaling')} is {old!r} and rope_parameters is {new!r}; they must agree"
            )
    key = "rope_parameters" if new else "rope_scaling"
    values: Mapping[str, Any] = new or old or {}
    where = config.where
    path = f"{config.path}.{key}" if config.path else key
    if values and all(value is None or isinstance(value, Mapping) for value in values.values()):
        return {
            str(name): None if value is None else Keys(value, where, f"{path}.{name}") for name, value in values.items()
        }
    local = config.agreeing(*_LOCAL_BASE_KEYS)
    if local is None:
        return {"": Keys(values, where, path)}
    # Gemma 3, ModernBERT: the scaling concerns full attention, sliding attention has a base of its own.
    sliding = Keys({"rope_theta": config.number(local, above=1)}, where, config.path)
    return {FULL: Keys(values, where, path), SLIDING: sliding}


def _normalised(values: Mapping[str, Any]) -> dict[str, Any]:
    """A rope dict with one spelling of its type."""
    result = {key: value for key, value in values.items() if key != "type" and value is not None}
    if values.get("type") is not None:
        result.setdefault("rope_type", values["type"])
    return result


def _read_one(config: Keys, model_type: str, name: str, rope: Keys | None, strict: bool) -> Rope | None:
    if rope is None:
        return None
    kind = _rope_type(rope)
    base = _base(config, rope, model_type)
    head_dim = _head_dim(config, model_type, name)
    rotary_dim = head_dim if kind == "proportional" else _rotary_dim(config, rope, model_type, head_dim)
    maximum = config.length("max_position_embeddings") or config.length("n_positions")
    facts = ModelFacts(model_type, config, maximum, head_dim, rotary_dim // 2)
    scaling = METHODS[kind](rope, facts)
    sections, order = _sections(rope, model_type, rotary_dim // 2)
    interleaved = model_type in model_types.INTERLEAVED
    if model_type in model_types.INTERLEAVED_BY_KEY:
        by_key = config.flag("rope_interleave")
        interleaved = True if by_key is None else by_key
    rope.report_unread(strict, IRRELEVANT)
    if config.flag("attn_temperature_tuning"):
        _warn_of_temperature_tuning(config)
    try:
        return Rope(head_dim, base, scaling, rotary_dim, interleaved, sections, order)
    except ValueError as error:
        raise ConfigError(f"{config.where}: {error}") from None


def _rope_type(rope: Keys) -> str:
    kinds = [rope.word(key, METHODS) for key in ("rope_type", "type")]
    canonical = {METHODS[kind] for kind in kinds if kind is not None}
    if len(canonical) > 1:
        raise ConfigError(f"{rope.name('rope_type')} is {kinds[0]!r} and type is {kinds[1]!r}; they must agree")
    kind = kinds[0] or kinds[1]
    if kind is None:
        described = set(map(str, rope.mapping)) - {"rope_theta", "partial_rotary_factor", "mrope_section"}
        if described:
            raise rope.missing("rope_type", f"without it {', '.join(sorted(described))} would be dropped")
    return kind or "default"


def _base(config: Keys, rope: Keys, model_type: str) -> float:
    inside = rope.number("rope_theta", above=1)
    key = config.agreeing(*_BASE_KEYS)
    # A nested dict has its own base; the one beside it is the default of those that have none.
    outside = None if key is None else config.number(key, above=1)
    own = rope.path.rpartition(".")[2] not in ("rope_scaling", "rope_parameters")
    if inside is not None and outside is not None and inside != outside and not own:
        raise ConfigError(
            f"{rope.name('rope_theta')} is {inside:g} and {config.name(str(key))} is {outside:g}; they must agree"
        )
    base = inside if inside is not None else outside
    if base is None:
        base = model_types.BASES.get(model_type)
        if base is None:
            known = (
                f"model_type {model_type!r} has no documented default"
                if model_type
                else "there is no model_type either"
            )
            raise config.missing("rope_theta", f"{known}; the base of the frequencies, a number > 1")
        warn(f"{config.name('rope_theta')} is missing; the default of model_type {model_type!r} is {base:g}")
    return base * (config.number("rope_ratio", above=0) or 1.0)


def _head_dim(config: Keys, model_type: str, name: str) -> int:
    """head_dim of what is rotated: MLA's rotary slice, else given, else the model type's, else derived."""
    own = _own_head_dim(config, name)
    if own is not None:
        return own
    for key in ("qk_rope_head_dim", *(("global_head_dim",) if name == FULL else ()), "head_dim"):
        given = config.count(key)
        if given is not None:
            if given % 2:
                raise config.error(key, "an even number")
            return given
    if model_type in model_types.HEAD_DIMS:
        return model_types.HEAD_DIMS[model_type]
    hidden = next((n for n in map(config.count, ("hidden_size", "n_embd", "d_model")) if n is not None), None)
    heads = next((n for n in map(config.count, ("num_attention_heads", "n_head", "num_heads")) if n is not None), None)
    if hidden is None or heads is None:
        raise config.missing("head_dim", "neither it nor hidden_size and num_attention_heads say how long a head is")
    if hidden % heads or (hidden // heads) % 2:
        raise ConfigError(
            f"{config.name('hidden_size')} is {hidden} and num_attention_heads {heads}; head_dim is not given, and their "
            "quotient must be an even number"
        )
    return hidden // heads


def _own_head_dim(config: Keys, name: str) -> int | None:
    """head_dim of a layer type from per_layer_config, where transformers 5 keeps what single layers have of their own."""
    layers = config.raw("per_layer_config")
    if not layers:
        return None
    types = config.mapping.get("layer_types") or ()
    if not isinstance(layers, Mapping) or not all(isinstance(own, Mapping) for own in layers.values()):
        raise config.error("per_layer_config", "an object of objects, by layer")
    found = {
        own.get("head_dim")
        for layer, own in layers.items()
        if str(layer).isdigit() and types[int(layer) : int(layer) + 1] == [name]
    }
    found -= {None}
    if len(found) > 1:
        raise config.error("per_layer_config", f"one head_dim for all layers of type {name!r}")
    return Keys({"head_dim": found.pop()}, config.where, "per_layer_config").count("head_dim") if found else None


def _rotary_dim(config: Keys, rope: Keys, model_type: str, head_dim: int) -> int:
    """How much of a head turns: int(head_dim * partial_rotary_factor), as transformers rounds it."""
    found: dict[str, int] = {}
    inside = rope.number("partial_rotary_factor", above=0)
    outside = {key: config.number(key, above=0) for key in ("partial_rotary_factor", "rotary_pct")}
    factors = {rope.name("partial_rotary_factor"): inside} | {config.name(key): value for key, value in outside.items()}
    if (
        inside is not None
        and "." in rope.path
        and rope.path.rpartition(".")[2] not in ("rope_parameters", "rope_scaling")
    ):
        factors = {rope.name("partial_rotary_factor"): inside}  # a nested dict has its own
    for name, factor in factors.items():
        if factor is None:
            continue
        if factor > 1:
            raise ConfigError(f"{name} is {factor:g}; a number > 0 and <= 1 is expected")
        found[name] = int(head_dim * factor)
    if config.has("rotary_dim"):
        found[config.name("rotary_dim")] = config.count("rotary_dim") or 0
    if config.has("qk_rope_head_dim"):
        found = {}  # the slice turns as a whole
    if len(set(found.values())) > 1:
        raise ConfigError(
            " and ".join(f"{name} makes rotary_dim {dim}" for name, dim in found.items()) + "; they must agree"
        )
    name, dim = next(iter(found.items()), ("", 0))
    if not found:
        factor = 1.0 if config.has("qk_rope_head_dim") else model_types.PARTIAL_ROTARY_FACTORS.get(model_type, 1.0)
        name, dim = f"the default of model_type {model_type!r}", int(head_dim * factor)
    if dim < 2 or dim % 2 or dim > head_dim:
        raise ConfigError(
            f"{name} makes rotary_dim {dim} of head_dim {head_dim}; an even number from 2 to head_dim is expected"
        )
    return dim


def _sections(rope: Keys, model_type: str, pairs: int) -> tuple[tuple[int, ...] | None, Any]:
    listed = rope.raw("mrope_section")
    if listed is None:
        return None, "contiguous"
    whole = isinstance(listed, (list, tuple)) and all(
        isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in listed
    )
    if not whole or sum(listed) != pairs:
        raise rope.error("mrope_section", f"a list of whole numbers > 0 whose sum is rotary_dim / 2 = {pairs}")
    interleaved = rope.flag("mrope_interleaved")
    order = model_types.SECTION_ORDERS.get(model_type)
    if order is None and interleaved is None:
        raise rope.error("mrope_section", f"no sections with model_type {model_type!r}, whose order is not known here,")
    if interleaved is not None:
        if order is not None and interleaved != (order == "interleaved"):
            raise rope.error(
                "mrope_interleaved", f"{str(order == 'interleaved').lower()}, as model_type {model_type!r} has it,"
            )
        order = "interleaved" if interleaved else "contiguous"
    return tuple(listed), order


def _warn_of_temperature_tuning(config: Keys) -> None:
    scale = config.number("attn_scale", above=0) or 0.1
    floor = config.number("floor_scale", above=0) or 8192
    warn(
        f"{config.name('attn_temperature_tuning')} is true: on layers without rotation the model multiplies each query at "
        f"position p by 1 + {scale:g} * ln(1 + floor((p + 1) / {floor:g})); do it in attention"
    )


def _without_rotation(
    config: Keys, model_type: str, ropes: dict[str, Rope | None], declared: tuple[str, ...]
) -> tuple[dict[str, Rope | None], tuple[str, ...]]:
    """Layer types that do not rotate, and the type of each layer."""
    layers = config.count("num_hidden_layers") or len(declared)
    if set(ropes) == {""}:
        rope = ropes[""]
        if model_type in model_types.NO_ROPE_BY_LIST:
            turning = _turning_layers(config, layers)
            names = tuple(FULL if turns else NO_ROPE for turns in turning)
            return {name: rope if name == FULL else None for name in dict.fromkeys((FULL, *names))}, names
        names = declared or (FULL,) * layers
        if model_type in model_types.NO_ROPE_ON_FULL_ATTENTION and SLIDING in names:
            return {name: None if name == FULL else rope for name in dict.fromkeys(names)}, names
        return dict.fromkeys(names or (FULL,), rope), names
    unknown = sorted(set(declared) - set(ropes))
    if unknown and not set(declared) & set(ropes):
        unknown = []  # the dicts go by labels of the model's own, not by layer types
        declared = ()
    if unknown:
        raise ConfigError(f"{config.name('layer_types')} names {unknown[0]!r}, for which there is no rope dict")
    return ropes, declared


def _turning_layers(config: Keys, layers: int) -> list[bool]:
    listed = config.raw("no_rope_layers")
    if listed:
        if not isinstance(listed, (list, tuple)) or not all(n in (0, 1) for n in listed):
            raise config.error("no_rope_layers", "a list of 0 (no rotation) and 1")
        if layers and len(listed) != layers:
            raise config.error("no_rope_layers", f"one entry for each of {layers} layers")
        return [bool(n) for n in listed]
    interval = config.count("no_rope_layer_interval") or 4
    return [(i + 1) % interval != 0 for i in range(layers)]
