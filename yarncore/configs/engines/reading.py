"""A configuration in the words of transformers -> what an engine computes of it: the layout is the model's, the scaling the
engine's own."""

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yarncore.configs.engines.engine import Effect, Engine, RopeKeys, Served, Shape
from yarncore.configs.huggingface.dialect import read_mapping
from yarncore.configs.huggingface.dimensions import is_sliced
from yarncore.configs.huggingface.document import Document
from yarncore.configs.huggingface.query_scales import BETA, ORIGINAL
from yarncore.configs.keys import warn
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.writing import quiet
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope

# Keys of a rope dict that concern the layout, or queries alone: they are read as the model's own code reads them. Whether
# an engine multiplies queries by their position was not run.
_LAYOUT = ("rope_theta", "partial_rotary_factor", "mrope_section", "mrope_interleaved", BETA)
_KNOWN = frozenset([*_LAYOUT, "rope_type", "type", "max_position_embeddings", "interleaved"])


@dataclass(frozen=True, slots=True)
class Computed:
    """What an engine computes.

    Attributes
    ----------
    ropes : ModelRopes
        advertised_length is what the engine serves when nothing is asked for.
    effects : tuple of Effect
        What it passes over or takes otherwise.
    served : Served
        How many tokens, asked and unasked.
    """

    ropes: ModelRopes
    effects: tuple[Effect, ...]
    served: Served


def read_as(
    engine: Engine, mapping: Mapping[str, Any], where: str, strict: bool, served: int | None = None
) -> Computed:
    """What an engine computes of a configuration.

    Raises
    ------
    ConfigError
        Also where the engine itself fails, in its place.
    """
    with quiet():
        document = Document(copy.deepcopy(dict(mapping)), where)
    layout = read_mapping(_without_scaling(document, engine, where), where, strict)
    effects: list[Effect] = []
    scaled: dict[str, Rope | None] = {}
    dicts = {label: _rope_keys(document, label) for label, own in document.dicts.items() if own is not None}
    serves = engine.served(document.keys, dicts, layout.advertised_length)
    most = served or (serves.unasked if serves.unasked != serves.longest else None)
    for name, rope in layout.items():
        label = document.label_of(name)
        if rope is None or label is None:
            scaled[name] = rope
            continue
        found, told = _scaled(engine, document, dicts[label], rope, layout, most, strict)
        scaled[name] = found
        effects += [effect for effect in told if effect not in effects]
    ropes = dataclasses.replace(layout, ropes=scaled, evidence=engine.EVIDENCE, advertised_length=serves.unasked)
    return Computed(ropes, tuple(effects), serves)


def warn_of(engine: Engine, effects: tuple[Effect, ...]) -> None:
    """A ConfigWarning for each key that the engine passes over or takes otherwise."""
    for effect in effects:
        verb = "does not read it" if effect.what == "ignored" else "makes something else of it"
        warn(f"{effect.key}: {engine.NAME} {engine.VERSION} {verb}: {effect.words}", finding=True)


def _without_scaling(document: Document, engine: Engine, where: str) -> dict[str, Any]:
    """The configuration with rope dicts that only say the layout."""
    dicts: dict[str, Any] = {}
    for label, own in document.dicts.items():
        if own is None:
            dicts[label] = None
            continue
        kept = {key: own.keys.mapping[key] for key in _LAYOUT if own.keys.mapping.get(key) is not None}
        if BETA in kept:
            kept[ORIGINAL] = own.keys.mapping.get(ORIGINAL)
        kept["rope_theta"] = own.base
        proportional = engine.kind(RopeKeys(own.keys.mapping, where, own.keys.path)) == "proportional"
        dicts[label] = {"rope_type": "proportional" if proportional else "default", **kept}
    return document.with_dicts(dicts)


def _length_beside(document: Document, label: str) -> dict[str, Any]:
    """The original length beside a dict for all layers (Phi-3), which transformers puts into it before anybody looks."""
    given = document.keys.lookup("original_max_position_embeddings")
    return {"original_max_position_embeddings": given} if given is not None and label == "" else {}


def _rope_keys(document: Document, label: str) -> RopeKeys:
    own = document.dicts[label]
    assert own is not None
    return RopeKeys({**own.keys.mapping, **_length_beside(document, label)}, own.keys.where, own.keys.path)


def _scaled(
    engine: Engine,
    document: Document,
    keys: RopeKeys,
    rope: Rope,
    layout: ModelRopes,
    served: int | None,
    strict: bool,
) -> tuple[Rope, list[Effect]]:
    kind = engine.kind(keys)
    latent = is_sliced(document.keys, document.facts) and document.facts.softmax_mscale
    partial = rope.rotary_dim != rope.head_dim
    shape = Shape(rope.rotary_dim, latent, layout.advertised_length, served, layout.model_type, partial)
    try:
        found = dataclasses.replace(rope, scaling=engine.scaling(kind, keys, shape))
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{keys.where}: {error}") from None
    keys.report_unread(strict, _KNOWN)
    return found, keys.effects
