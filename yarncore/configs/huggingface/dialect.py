"""A mapping in the words of transformers, versions 4 and 5 -> ModelRopes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from yarncore.configs.huggingface.cache_layers import cache_layers
from yarncore.configs.huggingface.dimensions import head_dim, heads, is_sliced, rotary_dim
from yarncore.configs.huggingface.facts import Facts, facts_of
from yarncore.configs.huggingface.known_keys import check_stated, check_unread, warn_of_attention
from yarncore.configs.huggingface.language_model import language_model
from yarncore.configs.huggingface.layers import LayerNames, arranged, layer_names
from yarncore.configs.huggingface.methods import IRRELEVANT, METHODS, NOT_EXPRESSIBLE, TAKES_ONLY, Model
from yarncore.configs.huggingface.pairs import interleaved, sections
from yarncore.configs.huggingface.query_scales import of_rope, of_still_layers, warn_of_the_rest
from yarncore.configs.huggingface.rope_dicts import RopeDict, original_length, rope_dicts
from yarncore.configs.huggingface.unknown_types import refuse_what_keys_cannot_tell
from yarncore.configs.keys import Keys
from yarncore.configs.model_ropes import FULL, ModelRopes
from yarncore.configs.source import Source
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope

NAME = "huggingface"
SIGNS: tuple[str, ...] = ("model_type", "rope_theta", "rope_scaling", "rope_parameters", "num_attention_heads")
CHANGES_A_MODEL = False


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping is a configuration of transformers."""
    mapping = language_model(mapping)[0]
    return any(key in mapping for key in SIGNS)


def read(source: Source, strict: bool) -> ModelRopes:
    """All that a configuration tells of its rotary embeddings."""
    return read_mapping(source.mapping, source.where, strict)


def read_mapping(mapping: Mapping[str, Any], where: str, strict: bool) -> ModelRopes:
    """All that a configuration tells of its rotary embeddings.

    Raises
    ------
    ConfigError
        Naming file, key, what it holds and what is accepted.
    """
    mapping, path, model_type = language_model(mapping)
    facts = facts_of(model_type, mapping)
    config = Keys(mapping, where, path, facts.defaults)
    config.seen.update((*facts.when, *facts.having))
    layers = layer_names(config, facts)
    if not _rotates(config, facts):
        return _told(config, facts, model_type, dict.fromkeys(layers.names), layers.names if layers.all else ())
    refuse_what_keys_cannot_tell(config, facts, model_type, layers.names)
    dicts = rope_dicts(config, facts, layers.names)
    ropes = {
        label: None if rope is None else _rope(config, facts, rope, layers, strict) for label, rope in dicts.items()
    }
    mapped, layer_types = arranged(config, facts, ropes, layers)
    found = [rope for rope in [*ropes.values(), *mapped.values()] if rope is not None]
    check_unread(config, facts, strict)
    check_stated(config, facts, found, is_sliced(config, facts))
    warn_of_attention(config)
    told = _told(config, facts, model_type, mapped, layer_types)
    if told.query_elements_beside and any(rope.query_scale for rope in found):
        warn_of_the_rest(config.where, told.query_elements_beside)
    return dataclasses.replace(
        told,
        query_scales=of_still_layers(config, mapped),
        original_length=original_length(config, dicts),
        one_for_all=set(dicts) == {""},
        softmax_temperature=facts.softmax_mscale,
        cache_layers=cache_layers(config, facts, layers, told.layers, heads(config, facts)),
    )


def _rotates(config: Keys, facts: Facts) -> bool:
    """Whether any layer rotates: not where the type never does, a key says so, or what is to be rotated has no elements."""
    if facts.refuse is not None:
        raise ConfigError(f"{config.where}: model_type {config.raw('model_type')!r}: {facts.refuse}")
    while_ = all(config.raw(key) in values for key, values in facts.rotates_while.items())
    nothing_left = config.lookup("qk_rope_head_dim") == 0 and is_sliced(config, facts)
    return facts.rotates and while_ and not nothing_left


def _rope(config: Keys, facts: Facts, rope: RopeDict, layers: LayerNames, strict: bool) -> Rope:
    kind = _rope_type(rope.keys)
    _check_taken(config, rope.keys, kind)
    _check_axial(config, facts, rope.keys, kind)
    of = head_dim(config, facts, rope.label, layers.names)
    part = of if kind == "proportional" else rotary_dim(config, facts, rope, kind, layers.names, of)
    try:
        scaling = METHODS[kind](rope.keys, Model(config, facts, part // 2))
        counts, order = sections(config, rope.keys, facts, part // 2)
        pairs = interleaved(config, facts)
        scale = of_rope(config, rope.keys)
        _check_length(config, rope.keys)
        rope.keys.report_unread(strict, IRRELEVANT)
        start = of - part if facts.at_end else 0
        backwards = facts.pairs == "reversed"
        return Rope(of, rope.base, scaling, part, pairs, counts, order, start, reversed=backwards, query_scale=scale)
    except ConfigError:
        raise
    except ValueError as error:  # what is right by itself and does not fit together
        raise ConfigError(f"{config.where}: {error}") from None


def _check_length(config: Keys, rope: Keys) -> None:
    """Some files repeat the advertised length within the rope dict, where nothing reads it."""
    inside, outside = rope.length("max_position_embeddings"), config.length("max_position_embeddings")
    if inside is not None and inside != outside:
        raise rope.error("max_position_embeddings", f"{outside}, the number beside it,")


def _rope_type(rope: Keys) -> str:
    for key in ("rope_type", "type"):
        if isinstance(rope.lookup(key), str) and rope.lookup(key) in NOT_EXPRESSIBLE:
            raise ConfigError(f"{rope.name(key)} is {rope.lookup(key)!r}: {NOT_EXPRESSIBLE[rope.lookup(key)]}")
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


def _check_taken(config: Keys, rope: Keys, kind: str) -> None:
    """Some classes have no other method than their own."""
    taken = TAKES_ONLY.get(str(config.lookup("model_type")))
    own = kind != "yarn" or "short_factor" in rope.mapping
    if taken is not None and (kind not in taken or not own):
        raise ConfigError(
            f"{rope.name('rope_type')} is {kind!r}: in models of type {config.lookup('model_type')!r} transformers takes default "
            "and longrope alone (and reads su and yarn as longrope)"
        )


# Orders of sections that only the modules of pictures and videos have.
_OF_PICTURES = frozenset(["axial", "axial_interleaved", "grouped"])


def _check_axial(config: Keys, facts: Facts, rope: Keys, kind: str) -> None:
    """Pictures take the type of their class alone; towers axial, which "default" means there too.

    (transformers 5.24.0, modeling_rope_utils.py.)
    """
    pictures = facts.sections is not None and facts.sections["order"] in _OF_PICTURES
    own = facts.ropes.get("", {}).get("rope_type", "default")
    if facts.whole_width and kind not in (own, "default"):
        raise ConfigError(
            f"{rope.name('rope_type')} is {kind!r}; {own} is expected: of the other methods the module of "
            f"{config.raw('model_type')!r} takes frequencies without attention factor or length, which is not read here"
        )
    if pictures and kind not in (own, "default"):
        raise rope.error("rope_type", f"{own}, the only one that the module of {config.raw('model_type')!r} has,")
    if kind == "axial" and not pictures:
        raise ConfigError(
            f"{rope.name('rope_type')} is 'axial': tokens turn by their row and by their column, and how the class of "
            f"model_type {config.raw('model_type')!r} deals the pairs to them is not known here"
        )


def _told(
    config: Keys, facts: Facts, model_type: str, ropes: dict[str, Rope | None], layer_types: tuple[str, ...]
) -> ModelRopes:
    shape = heads(config, facts)
    return ModelRopes(
        ropes or {FULL: None},
        layer_types,
        facts.evidence,
        model_type=model_type,
        where=config.where,
        heads=shape.of_queries,
        key_heads=shape.of_keys,
        query_elements_beside=shape.query_elements_beside,
        split_into=shape.split_into,
        positions=() if facts.sections is None else tuple(facts.sections.get("positions", ())),
        advertised_length=config.length("max_position_embeddings"),
    )
