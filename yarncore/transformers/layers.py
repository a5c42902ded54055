"""The changes that put yarncore's rotation under the layers of a model."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from yarncore.configs.model_ropes import ModelRopes
from yarncore.rope.rope import Rope
from yarncore.transformers.asked import Target
from yarncore.transformers.changes import HOOKED, Change, Reversible
from yarncore.transformers.decoder import Decoder, Method
from yarncore.transformers.dynamic import on_logits
from yarncore.transformers.dynamic.following import Following
from yarncore.transformers.dynamic.hooks import CacheFollower, Hooks
from yarncore.transformers.dynamic.record import Keys
from yarncore.transformers.functions import standing_in_for
from yarncore.transformers.methods import RedirectedMethod, global_names, with_globals
from yarncore.transformers.own_numbers import OwnModule, seen
from yarncore.transformers.rotary import HandingOne, HandingPair, RotaryModule, Tables


@dataclass(frozen=True, slots=True)
class Redirection:
    """How the layers are made to rotate.

    Attributes
    ----------
    changes : list of Change
        Copies of the methods that rotate, with our functions in them.
    one_array : bool
        They expect one complex array from the rotary module, in the place of a pair.
    why_tables : str
        Why there are none, and cos and sin are needed; else empty.
    """

    changes: list[Change]
    one_array: bool
    why_tables: str


def rotary_modules(
    decoder: Decoder, found: ModelRopes, target: Target, redirection: Redirection, keys: Keys
) -> list[Reversible]:
    """Ours in the place of the model's rotary modules; for a scaling that looks at the length, hooks that follow it.

    Raises
    ------
    ValueError
        Where a module's numbers are not those of the configuration; where the length is looked at and the model gets
        tables, of which its cached keys do not tell.
    """
    changes: list[Reversible] = []
    looking = [scaling for scaling in target.scalings if scaling.needs_length]
    if looking and redirection.why_tables:
        raise ValueError(
            f"{looking[0]!r} looks at the length, and {type(decoder.model).__name__} gets tables of cos and sin, because "
            f"{redirection.why_tables}: the keys that it caches could not be brought to another scale. Give a scaling that "
            "does not look at the length"
        )
    followers: dict[int, CacheFollower] = {}
    for place in decoder.rotaries:
        own = seen(place, found)
        ropes = {label: _one(place.path, names, target.ropes) for label, names in own.labels.items()}
        following = None
        if looking:
            owner = decoder.owner(place)
            if id(owner) not in followers:
                followers[id(owner)] = CacheFollower(keys)
                changes.append(Hooks(owner, followers[id(owner)]))
            before = {label: _one(place.path, names, found) for label, names in own.labels.items()}
            following = Following(followers[id(owner)], ropes, before)
        module = _module(place.module, own, ropes, redirection, following)
        changes.append(Change(place.parent, place.name, module, child=True))
    return changes


def _one(path: str, names: tuple[str, ...], ropes: Mapping[str, Rope | None]) -> Rope:
    different = {ropes[name] for name in names}
    if len(different) > 1:
        raise ValueError(f"{path} serves layers of type {' and '.join(names)} alike; one scaling for them is expected")
    rope = different.pop()
    assert rope is not None
    return rope


def _module(
    module: torch.nn.Module,
    own: OwnModule,
    ropes: Mapping[str, Rope],
    redirection: Redirection,
    following: Following | None,
) -> RotaryModule:
    if not redirection.why_tables:
        return (HandingOne if redirection.one_array else HandingPair)(module, ropes, following)
    if not own.arrangement:
        raise ValueError(
            f"{type(module).__name__}: how it arranges cos and sin is not known, since it has no numbers (meta device)"
        )
    return Tables(module, ropes, own.arrangement, own.sin_first)


def redirection_of(decoder: Decoder, found: ModelRopes, target: Target) -> Redirection:
    """How the layers of a model are made to rotate.

    Raises
    ------
    ValueError
        Where a method was replaced by somebody else.
    """
    if decoder.custom:
        return Redirection([], False, f"{decoder.custom} is code of its own")
    # LASR's encoder (transformers 5.24.0, models/lasr/modeling_lasr.py), between its rotary module and its layers.
    if any(hasattr(module, "dropout_positions") for module in decoder.model.modules()):
        return Redirection([], False, "dropout is applied to cos and sin (dropout_positions)")
    if not decoder.methods:
        return Redirection([], False, "no method was found to call a rotation function")
    rope = dataclasses.replace(next(rope for rope in found.values() if rope is not None), scaling=None)
    called = {function: name for method in decoder.methods for name, function in method.functions.items()}
    ours = {function: standing_in_for(function, rope) for function in called}
    for function, one in ours.items():
        if one is None:
            return Redirection(
                [], False, f"{function.__module__}.{called[function]} does what no rotation of a Rope does"
            )
    made: dict[tuple[type, str], tuple[Mapping[str, Any], Any]] = {}
    changes = []
    for method in decoder.methods:
        key = type(method.module), method.name
        if key not in made:
            functions: dict[str, Any] = {name: ours[function] for name, function in method.functions.items()}
            if target.softmax_follows_length:
                functions |= _attention(method)
            made[key] = functions, with_globals(getattr(*key), functions)
        changes.append(Change(method.module, _slot(method), RedirectedMethod(method.module, method.name, *made[key])))
    return Redirection(changes, any(one is not None and "freqs_cis" in one.parameters for one in ours.values()), "")


def _attention(method: Method) -> Mapping[str, Any]:
    """What computes attention, with queries that carry a factor of their row."""
    if on_logits.NAME not in global_names(getattr(type(method.module), method.name)):
        raise ValueError(
            f"the scaling multiplies the logits by a number that follows the length, and {type(method.module).__name__} does not "
            f"compute attention by {on_logits.NAME}; give a scaling whose temperature goes with cos and sin"
        )
    return {on_logits.NAME: on_logits.CarriedByQueries()}


def _slot(method: Method) -> str:
    """Where the instance keeps its method: with accelerate's hook on, behind the hook."""
    own = vars(method.module)
    if method.name not in own:
        return method.name
    if method.name == "forward" and HOOKED in own and hasattr(method.module, "_hf_hook"):
        hooked = own[HOOKED]
        if getattr(hooked, "__func__", None) is type(method.module).forward:
            return HOOKED
    raise ValueError(
        f"{method.path}.{method.name} was replaced on this model by {own[method.name]!r}; what that rotates by is not known. "
        "Undo that, extend, and do it again"
    )


def softmax_factors(decoder: Decoder, found: ModelRopes, target: Target) -> list[Change]:
    """Attention's scaling, where a temperature that goes with the logits changes.

    Raises
    ------
    ValueError
        Where it changes and nothing is known that it could be told to.
    """
    before, after = _softmax_factor(found), _softmax_factor(target.ropes)
    if before == after:
        return []
    changes = []
    for module in {id(method.module): method.module for method in decoder.methods}.values():
        scaling = vars(module).get("scaling")
        if isinstance(scaling, float):
            changes.append(Change(module, "scaling", scaling / before * after))
    if not changes:
        raise ValueError(
            f"the scaling multiplies the logits by {after:g}, and the attention of {type(decoder.model).__name__} has no "
            "attribute `scaling` that says by what it multiplies them; give one whose temperature goes with cos and sin"
        )
    return changes


def _softmax_factor(ropes: Mapping[str, Rope | None]) -> float:
    factors = set()
    for rope in ropes.values():
        if rope is not None:
            factors.add(float(rope.at().softmax_scale_factor))
    if len(factors) > 1:
        raise ValueError("layers differ in what they multiply their logits by; one softmax factor is expected")
    return factors.pop()
