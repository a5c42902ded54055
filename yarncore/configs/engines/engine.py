"""What an engine is: a module that makes a scaling of a rope dict, its own way, and says which keys it passes over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from yarncore.configs.keys import Keys
from yarncore.configs.model_ropes import Evidence
from yarncore.errors import ConfigError
from yarncore.scaling.scaling import Scaling
from yarncore.scaling.yarn import temperature

_BETAS = {"beta_fast": 32.0, "beta_slow": 1.0}


class NotRun(ConfigError):
    """What an engine does with such a model was not run."""


class Effect(NamedTuple):
    """What an engine does with a key that is given: another thing than transformers.

    Attributes
    ----------
    key : str
        With its path.
    what : "ignored" or "changed"
    words : str
        What it takes instead.
    """

    key: str
    what: str
    words: str


class Served(NamedTuple):
    """How many tokens an engine serves of a model.

    Attributes
    ----------
    longest : int or None
        More it refuses.
    unasked : int or None
        When nothing is asked for.
    key : str
        That of the configuration from which it takes the length.
    """

    longest: int | None
    unasked: int | None
    key: str = "max_position_embeddings"


@dataclass(frozen=True, slots=True)
class Shape:
    """What an engine knows of a model beside its rope dict.

    Attributes
    ----------
    rotary_dim : int
    latent : bool
        Multi-head latent attention, whose logits carry a factor of YaRN.
    max_position : int or None
        max_position_embeddings.
    served : int or None
        Tokens that are asked for.
    model_type : str
    partial : bool
        Only a part of each head turns.
    """

    rotary_dim: int
    latent: bool
    max_position: int | None
    served: int | None
    model_type: str = ""
    partial: bool = False


class RopeKeys(Keys):
    """A rope dict as an engine reads it; what it passes over or takes otherwise is collected."""

    def __init__(self, mapping: Mapping[str, Any], where: str, path: str) -> None:
        super().__init__(mapping, where, path)
        self.effects: list[Effect] = []

    def ignored(self, key: str, words: str) -> None:
        """The engine does not read a key; `words`: what it takes instead."""
        self.seen.add(key)
        if self.has(key):
            self.effects.append(Effect(self.name(key), "ignored", words))

    def changed(self, key: str, words: str) -> None:
        """The engine makes something else of a key than transformers does."""
        self.seen.add(key)
        self.effects.append(Effect(self.name(key), "changed", words))

    def spelled(self, *spellings: str) -> str:
        """The first of these keys that is given, else the last."""
        return next((key for key in spellings if self.has(key)), spellings[-1])

    def type_of(self, *spellings: str) -> str:
        """The type under the first of these keys that is given; "default" where nothing is scaled.

        Raises
        ------
        ConfigError
            Where keys of a scaling stand without a type: engines fail on them.
        """
        given = [str(self.raw(key)) for key in spellings if self.has(key)]
        if not given and self.has("factor"):
            raise self.missing("rope_type", "the engine fails on a rope dict that has a factor and no type")
        return given[0] if given else "default"

    def required(self, key: str, why: str, at_least: float = 1) -> float:
        """A number without which the engine fails."""
        value = self.number(key, at_least=at_least, below=2**53)
        if value is None:
            raise self.missing(key, why)
        return value

    def original_length(self, shape: Shape, otherwise: int | None = None) -> int:
        """L: inside the dict, else what the engine takes, which is said."""
        given = self.length("original_max_position_embeddings")
        if given is not None:
            return given
        taken = otherwise or shape.max_position
        if taken is None:
            raise self.missing("original_max_position_embeddings", "the trained length, in tokens")
        self.changed("original_max_position_embeddings", f"missing: {taken} is taken")
        return taken

    def beta(self, key: str) -> float:
        """beta_fast or beta_slow as most engines read them: 32 and 1 where absent."""
        given = self.number(key, above=0)
        return _BETAS[key] if given is None else given


class Engine(Protocol):
    """A module of this folder."""

    NAME: str
    VERSION: str
    """That which was run."""

    EVIDENCE: Evidence

    def scaling(self, kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
        """What the engine computes for a rope_type; ConfigError where it fails."""

    def kind(self, keys: RopeKeys) -> str:
        """The rope_type that the engine takes."""

    def served(self, model: Keys, ropes: Mapping[str, RopeKeys], advertised: int | None) -> Served:
        """How many tokens it serves of a model with these rope dicts by label, which advertises max_position_embeddings."""


def rope_type_first(keys: RopeKeys) -> str:
    """`kind` of most engines: rope_type before type."""
    return keys.type_of("rope_type", "type")


def as_advertised(model: Keys, ropes: Mapping[str, RopeKeys], advertised: int | None) -> Served:
    """`served` of most engines: max_position_embeddings, whatever the scaling."""
    return Served(advertised, advertised)


def stretched(length: int, factor: Any) -> int:
    """Tokens times the factor of a rope dict; the tokens alone where it is no factor, which the dict's method says by name."""
    told = isinstance(factor, (int, float)) and abs(factor) < 2**53  # NaN is not
    return int(length * factor) if told else length


def t(s: float, mscale: float) -> float:
    """0.1 mscale ln s + 1, and 1 up to s = 1."""
    return float(temperature(np.float64(s), mscale, np))
