"""What a caller asks for -> the Rope of each layer type, every contradiction found before anything is changed."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from yarncore._arguments import real_number, token_count
from yarncore.configs.extension import is_scaled, rescaled, scaled_layers, yarn
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.original_length import Length, original_length
from yarncore.rope.rope import Rope
from yarncore.scaling import DynamicYaRN, YaRN
from yarncore.scaling.scaling import Scaling
from yarncore.transformers.dynamic.record import Keys
from yarncore.transformers.saved import ropes_from_folder


@dataclass(frozen=True, slots=True)
class Target:
    """What a model is extended to.

    Attributes
    ----------
    ropes : mapping of layer type to Rope
    original : Length
    length : int or None
    """

    ropes: Mapping[str, Rope | None]
    original: Length
    length: int | None

    @property
    def scalings(self) -> tuple[Scaling, ...]:
        """Those of the layers, each once."""
        found = (rope.scaling for rope in self.ropes.values() if rope is not None and rope.scaling is not None)
        return tuple(dict.fromkeys(found))

    @property
    def softmax_follows_length(self) -> bool:
        """Whether logits are multiplied by a number that differs from one length to another."""
        return any(scaling.needs_length and getattr(scaling, "softmax_mscale", None) for scaling in self.scalings)


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of `extend`, checked one by one."""

    scaling: Scaling | Mapping[str, Scaling | None] | str | os.PathLike[str] | None
    to: int | None
    factor: float | None
    original_length: int | None
    replace: bool
    steps: Literal["doubling"] | None = "doubling"
    keys: Keys = "rerotated"

    def __post_init__(self) -> None:
        given = [name for name in ("scaling", "to", "factor") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given; one of scaling, to and factor is expected")
        accepted = (Scaling, Mapping, str, os.PathLike)
        if self.scaling is not None and not isinstance(self.scaling, accepted):
            raise TypeError(
                f"scaling is {self.scaling!r}; a scaling such as YaRN(...), a mapping of layer types to scalings, or the folder "
                "of a saved model is expected"
            )
        if self.to is not None:
            object.__setattr__(self, "to", token_count("to", self.to))
        if self.factor is not None:
            object.__setattr__(self, "factor", real_number("factor", self.factor, at_least=1))
        if self.original_length is not None:
            object.__setattr__(self, "original_length", token_count("original_length", self.original_length))
        if not isinstance(self.replace, bool):
            raise TypeError(f"replace is {self.replace!r}; True or False is expected")
        if self.steps not in ("doubling", None):
            raise ValueError(f'steps is {self.steps!r}; "doubling", or None for a scaling as it is given, is expected')
        if self.keys not in ("rerotated", "unrotated"):
            raise ValueError(f'keys is {self.keys!r}; "rerotated" or "unrotated" is expected')

    def target(self, found: ModelRopes, config: Any, shared: bool) -> Target:
        """The Rope of each layer type.

        Parameters
        ----------
        found : ModelRopes
            What the model rotates by.
        config : PreTrainedConfig
        shared : bool
            All layers rotate by one module that does not know of layer types: what is scaled, is scaled in all.
        """
        original = self._original(found, config)
        scaled = {rope.scaling for rope in found.values() if rope is not None and is_scaled(rope.scaling)}
        if self.scaling is None and self.to is None and self.factor is None:
            return Target(dict(found), original, _reach(scaled, found))
        if isinstance(self.scaling, (str, os.PathLike)):
            ropes = ropes_from_folder(Path(self.scaling), found)
            wanted = {rope.scaling for rope in ropes.values() if rope is not None and rope.scaling is not None}
            return Target(ropes, original, _reach(wanted, found))
        wanted_by_type = self._by_type(found, original, shared)
        ropes = {name: rescaled(name, rope, wanted_by_type) for name, rope in found.items()}
        if ropes == dict(found):
            return Target(ropes, original, _reach(scaled, found))
        self._check_replaced(scaled)
        length = self.to or _reach({s for s in wanted_by_type.values() if s is not None}, found)
        return Target(ropes, original, length)

    def _original(self, found: ModelRopes, config: Any) -> Length:
        own = found.original_length
        if self.original_length is not None and own not in (None, self.original_length):
            raise ValueError(
                f"original_length is {self.original_length}, but the configuration says {own} "
                "(original_max_position_embeddings); they must agree"
            )
        return original_length(found, self.original_length, getattr(config, "max_position_embeddings", None))

    def _check_replaced(self, scaled: set[Scaling | None]) -> None:
        if scaled and not self.replace:
            raise ValueError(
                f"the model is scaled already, by {', '.join(map(repr, scaled))}; replace=True puts another scaling in its "
                "place, and extend(model) keeps this one and makes its phases exact"
            )

    def _by_type(self, found: ModelRopes, original: Length, shared: bool) -> Mapping[str, Scaling | None]:
        rotating = [name for name, rope in found.items() if rope is not None]
        if isinstance(self.scaling, Mapping):
            unknown = sorted(set(self.scaling) - set(rotating))
            if unknown:
                raise ValueError(
                    f"scaling names the layer type {unknown[0]!r}; one of {', '.join(rotating)} is expected"
                )
            for scaling in self.scaling.values():
                self._check_scaling(scaling, found, original)
            return {name: self._stepped(scaling) for name, scaling in self.scaling.items()}
        scaling = self.scaling if isinstance(self.scaling, Scaling) else self._yarn(found, original)
        scaling = self._stepped(scaling)
        self._check_scaling(scaling, found, original)
        return dict.fromkeys(scaled_layers(found, shared), scaling)

    def _stepped(self, scaling: Scaling | None) -> Scaling | None:
        """Dynamic-YaRN in steps: with a cache, one that follows each token re-rotates all keys at each."""
        if self.steps is not None and isinstance(scaling, DynamicYaRN) and scaling.steps is None:
            return dataclasses.replace(scaling, steps=self.steps)
        return scaling

    def _yarn(self, found: ModelRopes, original: Length) -> YaRN:
        if original.tokens is None:
            raise ValueError(
                "original_length is needed: the configuration has neither its own nor max_position_embeddings"
            )
        factor = self.factor
        if factor is None:
            assert self.to is not None
            present = found.advertised_length
            if self.to < original.tokens or (present and not self.replace and self.to < present):
                least = max(original.tokens, present or 0)
                raise ValueError(f"to is {self.to}, below the present context of {least} tokens")
            factor = self.to / original.tokens
        return yarn(found, factor, original.tokens)

    def _check_scaling(self, scaling: Scaling | None, found: ModelRopes, original: Length) -> None:
        if scaling is not None and not isinstance(scaling, Scaling):
            raise TypeError(f"scaling names {scaling!r}; None or a scaling such as YaRN(...) is expected")
        counted = getattr(scaling, "original_length", None)
        if counted is None or original.tokens is None:
            return
        if not original.stated:
            if counted > original.tokens:
                raise ValueError(
                    f"{scaling!r} counts from {counted} tokens, more than the model's max_position_embeddings = "
                    f"{original.tokens}; say original_length={counted} if it was trained on as many"
                )
        elif counted != original.tokens:
            raise ValueError(
                f"{scaling!r} counts from {counted} tokens, but the original length is {original.tokens}, {original.whence}"
            )


def _reach(scalings: Any, found: ModelRopes) -> int | None:
    """How many tokens a model reaches by its scalings; what it advertises where they do not say."""
    reached = []
    for scaling in scalings:
        original, factor = getattr(scaling, "original_length", None), scaling.context_factor() if scaling else None
        if factor is None and scaling is not None:
            factor = getattr(scaling, "factor", None)
        if scaling is not None and scaling.needs_length and factor is None:
            return None  # dynamic without an end
        if factor:
            reached.append(round(factor * (original or found.advertised_length or 0)))
    return max(reached) if reached and max(reached) else found.advertised_length
