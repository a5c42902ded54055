"""The changes that put yarncore's rotation under the layers of a model."""

from collections.abc import Mapping
from typing import Any

import torch

from yarncore.configs.model_ropes import ModelRopes
from yarncore.rope.rope import Rope
from yarncore.transformers.asked import Target
from yarncore.transformers.changes import Change, Reversible
from yarncore.transformers.decoder import Decoder, Method
from yarncore.transformers.dynamic import on_logits
from yarncore.transformers.dynamic.following import Following
from yarncore.transformers.dynamic.hooks import CacheFollower, Hooks
from yarncore.transformers.dynamic.record import Keys
from yarncore.transformers.functions import RotationFunction, standing_in_for
from yarncore.transformers.methods import RedirectedMethod, global_names, with_globals
from yarncore.transformers.own_numbers import OwnModule, seen
from yarncore.transformers.rotary import HandingOne, HandingPair, RotaryModule, Tables

# Where accelerate keeps the method that its hook calls.
_HOOKED = "_old_forward"


def rotary_modules(
    decoder: Decoder, found: ModelRopes, target: Target, fused: bool, strategy: Keys
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
    if looking and not fused:
        raise ValueError(
            f"{looking[0]!r} looks at the length, and {type(decoder.model).__name__} gets tables of cos and sin: the keys that "
            "it caches could not be brought to another scale. Give a scaling that does not look at the length"
        )
    followers: dict[int, CacheFollower] = {}
    for place in decoder.rotaries:
        own = seen(place, found)
        ropes = {label: _one(place.path, names, target.ropes) for label, names in own.labels.items()}
        following = None
        if looking:
            owner = decoder.owner(place)
            follower = followers.get(id(owner))
            if follower is None:
                follower = followers[id(owner)] = CacheFollower(strategy)
                changes.append(Hooks(owner, follower))
            before = {label: _one(place.path, names, found) for label, names in own.labels.items()}
            following = Following(follower, ropes, before)
        module = _module(decoder, place.module, own, ropes, fused, following)
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
    decoder: Decoder,
    module: torch.nn.Module,
    own: OwnModule,
    ropes: Mapping[str, Rope],
    fused: bool,
    following: Following | None,
) -> RotaryModule:
    if not fused:
        if not own.arrangement:
            raise ValueError(
                f"{type(module).__name__}: how it arranges cos and sin is not known, since it has no numbers (meta device)"
            )
        return Tables(module, ropes, own.arrangement, own.sin_first)
    one = any(
        "freqs_cis" in stand_in.parameters
        for method in decoder.methods
        for stand_in in (_stand_in(method, name, next(iter(ropes.values()))) for name in method.functions)
        if stand_in is not None
    )
    return HandingOne(module, ropes, following) if one else HandingPair(module, ropes, following)


def _stand_in(method: Method, name: str, rope: Rope) -> RotationFunction | None:
    return standing_in_for(method.functions[name], rope)


def forwards(decoder: Decoder, found: ModelRopes, target: Target) -> tuple[list[Change], str]:
    """Copies of the methods that rotate, with our functions in them; or none, and why cos and sin are needed.

    Raises
    ------
    ValueError
        Where a method was replaced by somebody else.
    """
    rope = next(rope for rope in found.values() if rope is not None)
    if decoder.custom:
        return [], f"{decoder.custom} is code of its own"
    if not decoder.methods:
        return [], "no method was found to call a rotation function"
    made: dict[tuple[type, str], tuple[Mapping[str, Any], Any]] = {}
    changes = []
    for method in decoder.methods:
        key = type(method.module), method.name
        if key not in made:
            functions = {name: _stand_in(method, name, rope) for name in method.functions}
            unknown = [name for name, function in functions.items() if function is None]
            if unknown:
                return [], f"{unknown[0]} of {type(method.module).__name__} does what no rotation of a Rope does"
            replaced: dict[str, Any] = dict(functions)
            if target.softmax_follows_length:
                replaced |= _attention(method)
            made[key] = replaced, with_globals(getattr(*key), replaced)
        changes.append(Change(method.module, _slot(method), RedirectedMethod(method.module, method.name, *made[key])))
    return changes, ""


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
    if method.name == "forward" and _HOOKED in own and hasattr(method.module, "_hf_hook"):
        hooked = own[_HOOKED]
        if getattr(hooked, "__func__", None) is type(method.module).forward:
            return _HOOKED
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
