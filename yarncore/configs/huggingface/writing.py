"""Ropes -> a configuration in the words of transformers 5: the keys alone, or a whole file with those changed."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yarncore.configs.huggingface.dialect import read_mapping as read
from yarncore.configs.huggingface.document import Document
from yarncore.configs.huggingface.method_keys import Written, part_that_turns, written
from yarncore.configs.keys import warn
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.target_length import target_length
from yarncore.configs.writing import WriteRequest, judge, quiet
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
from yarncore.scaling import DynamicNTK, Llama3, NTKAware, PositionInterpolation
from yarncore.scaling.scaling import Scaling

_WHOSE = "transformers"
_BY_CLASS = ". Which elements make a pair, and by which position each turns, is decided by a model's class"


def write(request: WriteRequest) -> dict[str, Any]:
    """A configuration that transformers 5.24 reads as the same rotation.

    Raises
    ------
    ConfigError
        Naming what transformers cannot express, and by how much the nearest differs.
    """
    return _keys_alone(request) if request.config is None else _whole(request, request.config.mapping)


def _keys_alone(request: WriteRequest) -> dict[str, Any]:
    rope = request.only_rope("which layers have which, a model's configuration tells (config=)")
    keys = written(rope, request.length, softmax_by_key=False)
    length = _advertised(request, [keys], None)
    rope_dict = {"rope_theta": keys.base, **keys.keys}
    if rope.rotary_dim < rope.head_dim:
        rope_dict["partial_rotary_factor"] = part_that_turns(rope)
    result: dict[str, Any] = {"head_dim": rope.head_dim, "rope_parameters": rope_dict}
    if length is not None:
        result["max_position_embeddings"] = length
    with quiet():
        back = read(result, request.where, strict=True)
    hint = f"{_BY_CLASS}: give the model's configuration (config=)"
    judge(request, _WHOSE, {"": rope}, dict.fromkeys([""], back.one()), {"": keys.given_up}, hint)
    return result


def _whole(request: WriteRequest, config: Mapping[str, Any]) -> dict[str, Any]:
    composed = compose(request, config)
    with quiet():
        back = read(composed.mapping, request.where, strict=False)
    judge(request, _WHOSE, composed.wanted, back, composed.given_up, _BY_CLASS)
    return composed.mapping


@dataclass(frozen=True, slots=True)
class Composed:
    """A whole configuration that nobody has read back yet.

    Attributes
    ----------
    mapping : dict
    wanted : dict of layer type to Rope or None
    given_up : dict of layer type to str
    rope_parameters : dict
        Those of its language model, within the mapping.
    nested : bool
        The language model stands within a larger one.
    length : int or None
        max_position_embeddings.
    """

    mapping: dict[str, Any]
    wanted: dict[str, Rope | None]
    given_up: dict[str, str]
    rope_parameters: dict[str, Any]
    nested: bool
    length: int | None


def compose(request: WriteRequest, config: Mapping[str, Any]) -> Composed:
    """A model's configuration with the keys of the rotation changed.

    Raises
    ------
    ConfigError
        Where transformers has no words that are near.
    """
    copied = copy.deepcopy(dict(config))
    with quiet():
        before = read(config, request.where, strict=False)
    wanted = _wanted(request, before)
    if not any(before.values()) and wanted == dict(before):  # a model that never rotates has no rope dict to be changed
        return Composed(copied, wanted, {}, {}, False, None)
    with quiet():
        document = Document(copied, request.where)
    by_label = document.by_label(wanted)
    keys = {
        label: None if rope is None else written(rope, request.length, document.facts.softmax_mscale)
        for label, rope in by_label.items()
    }
    _check_truncate(keys)
    length = _advertised(request, [one for one in keys.values() if one is not None], before)
    document.put(by_label, keys, length)
    given_up = {name: _given_up(keys, document.label_of(name)) for name in wanted}
    return Composed(document.mapping, wanted, given_up, document.rope_parameters, document.nested, length)


def _wanted(request: WriteRequest, before: ModelRopes) -> dict[str, Rope | None]:
    """Layer type -> what is to be written; what a mapping does not name stays as it was."""
    if not isinstance(request.ropes, Rope):
        unknown = sorted(set(request.ropes) - set(before))
        if unknown:
            raise ConfigError(f"rope names the layer type {unknown[0]!r}; {request.where} has {', '.join(before)}")
        return {**before, **request.ropes}
    before.one()  # raises where there are several, or none
    return {name: None if rope is None else request.ropes for name, rope in before.items()}


def _given_up(keys: Mapping[str, Written | None], label: str | None) -> str:
    found = keys.get(label) if label is not None else None
    return "" if found is None else found.given_up


def _check_truncate(keys: Mapping[str, Written | None]) -> None:
    """transformers looks for truncate beside the dicts of layer types: all ramps are rounded, or none is."""
    ramps = {one.keys.get("truncate", True) for one in keys.values() if one and one.keys["rope_type"] == "yarn"}
    if len(ramps) > 1:
        raise ConfigError(f"{_WHOSE} cannot express truncate=False for some layer types and truncate=True for others")


def _advertised(request: WriteRequest, keys: list[Written], before: ModelRopes | None) -> int | None:
    """max_position_embeddings: the tokens asked for, or those that the scaling is made for; None: as it was."""
    counted = {one.scaling.original_length for one in keys if isinstance(one.scaling, DynamicNTK)}
    if counted:
        (original,) = counted if len(counted) == 1 else (None,)
        if original is None or request.length not in (None, original):
            raise ConfigError(
                f"{_WHOSE} counts its dynamic method from max_position_embeddings, which is then {sorted(counted)}; it cannot "
                f"be {request.length}"
            )
        return original
    if request.length is not None:
        return request.length
    had = None if before is None else before.advertised_length
    lengths = [_made_for(one.scaling, had, before) for one in keys]
    return max((length for length in lengths if length is not None), default=had)


def _made_for(scaling: Scaling | None, had: int | None, before: ModelRopes | None) -> int | None:
    if isinstance(scaling, Llama3):  # Llama 3.1 advertises twice its factor * original length
        return max(had or 0, round(scaling.factor * scaling.original_length))
    if isinstance(scaling, (PositionInterpolation, NTKAware)) and had is not None and before is not None:
        if all(rope is None or rope.scaling is None for rope in before.values()):
            return round(had * scaling.factor)
        if all(rope is None or rope.scaling != scaling for rope in before.values()):
            warn(
                f"max_position_embeddings stays {had}: {scaling!r} does not tell an original length, and what {had} was made of is "
                "not told either; length= says what is to be served"
            )
    return target_length(scaling)
