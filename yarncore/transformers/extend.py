"""Extend a loaded model, and restore it."""

import inspect
import os
from collections.abc import Mapping
from typing import Any, Literal

import torch

from yarncore.configs.dialects import ropes_from_config
from yarncore.configs.kv_cache import cache_bytes
from yarncore.configs.model_ropes import ModelRopes
from yarncore.rope.rope import Rope
from yarncore.scaling.scaling import Scaling
from yarncore.transformers.asked import Asked, Target
from yarncore.transformers.changes import Change, check_in_place, make_all, undo_all
from yarncore.transformers.decoder import Decoder, decoder_of, model_of
from yarncore.transformers.dynamic.record import Keys
from yarncore.transformers.layers import redirection_of, rotary_modules, softmax_factors
from yarncore.transformers.report import Report
from yarncore.transformers.saved import configuration

# Under which the record of what was changed is kept by the model: copied, pickled and moved with it.
_RECORD = "_yarncore_changes"


def extend(
    model: Any,
    scaling: Scaling | Mapping[str, Scaling | None] | str | os.PathLike[str] | None = None,
    *,
    to: int | None = None,
    factor: float | None = None,
    original_length: int | None = None,
    replace: bool = False,
    steps: Literal["doubling"] | None = "doubling",
    keys: Keys = "rerotated",
) -> Report:
    """Put yarncore's rotation under a loaded model, with a longer context or with its own.

    Only this instance changes: other models of its class, and its weights, stay as they are. Nothing is changed where an
    error is raised.

    Parameters
    ----------
    model : PreTrainedModel, or what wraps one (PEFT)
        Its language model is extended. Not compiled yet.
    scaling : Scaling, mapping of layer type to Scaling, or path, optional
        A path is that of a folder with the yarncore.json of an extended model. With neither scaling nor to nor factor
        the model keeps the scaling that it has, and gets exact phases.
    to : int, keyword-only
        YaRN up to so many tokens.
    factor : float, keyword-only
        YaRN by s = factor.
    original_length : int, keyword-only
        The length that the model was trained for; None: its configuration's own, else max_position_embeddings.
    replace : bool, keyword-only
        Put another scaling in the place of one that the model has already.
    steps : "doubling" or None, keyword-only
        A DynamicYaRN without steps gets these, so that cached keys are re-rotated at 2, 4, 8 ... times the original length
        only; None: it follows each token, as it is given.
    keys : "rerotated" or "unrotated", keyword-only
        For scalings that look at the length, how keys are cached: rotated, and turned when their row takes a step; or
        unrotated, and rotated as they are read, in every forward.

    Returns
    -------
    Report

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted; or what it is in the model that is not understood.
    """
    asked = Asked(scaling, to, factor, original_length, replace, steps, keys)
    outermost = model_of(model)
    before = outermost.__dict__.get(_RECORD)
    if before is not None and not replace:
        raise ValueError("model is extended already; restore(model) first, or say replace=True")
    if before is None:
        return _extended(model, asked)
    restore(model)
    try:
        return _extended(model, asked)
    except BaseException:
        make_all(before)
        raise


def restore(model: Any) -> None:
    """Undo `extend`: modules, methods and factors are those from before.

    Raises
    ------
    ValueError
        Where the model is not extended, or something else was put in the place of what was changed.
    """
    outermost = model_of(model)
    changes = outermost.__dict__.get(_RECORD)
    if changes is None:
        raise ValueError(f"model ({type(outermost).__name__}) is not extended")
    check_in_place(changes)
    undo_all(changes)


def _extended(model: Any, asked: Asked) -> Report:
    decoder = decoder_of(model)
    found = ropes_from_config(decoder.config)
    knows_types = len(decoder.rotaries) > 1 or any("layer_type" in _takes(place) for place in decoder.rotaries)
    target = asked.target(found, decoder.config, not knows_types)
    redirection = redirection_of(decoder, found, target)
    changes = rotary_modules(decoder, found, target, redirection, asked.keys)
    saved = configuration(decoder, found, target.ropes, target.length)
    changes += redirection.changes + softmax_factors(decoder, found, target) + saved.changes
    changes.append(Change(decoder.model, _RECORD, changes))
    report = _report(decoder, found, target, redirection.why_tables, saved.where)
    make_all(changes)
    return report


def _takes(place: Any) -> Any:
    return inspect.signature(type(place.module).forward).parameters  # of what decorators wrap, not of a wrapper


def _report(decoder: Decoder, found: ModelRopes, target: Target, why_tables: str, saved_as: str) -> Report:
    rope = next(rope for rope in target.ropes.values() if rope is not None)
    scaled = next((rope for rope in target.ropes.values() if rope is not None and rope.scaling is not None), rope)
    rotation = scaled.at(target.length or target.original.tokens or 1)
    on_rotation, on_softmax = float(rotation.attention_factor) ** 2, float(rotation.softmax_scale_factor)
    applied = [name for name, factor in (("cos_sin", on_rotation), ("softmax", on_softmax)) if factor != 1]
    dtype = next((p.dtype for p in decoder.model.parameters() if p.is_floating_point()), torch.get_default_dtype())
    return Report(
        model=f"{type(decoder.model).__name__}, {found.model_type}",
        evidence=str(found.evidence),
        original_length=target.original.tokens,
        original_from=target.original.whence,
        target_length=target.length,
        factor=_factor(target),
        method=", ".join(type(scaling).__name__ for scaling in target.scalings) or "plain RoPE",
        ropes=dict(target.ropes),
        before=dict(found),
        temperature=on_rotation * on_softmax,
        temperature_in=" and ".join(applied) or "nobody",
        rotation=f"tables of cos and sin: {why_tables}" if why_tables else "fused",
        layers=len({id(method.module) for method in decoder.methods}),
        cache_bytes=cache_bytes(found.cache_layers, target.length, dtype.itemsize),
        saved_as=saved_as,
    )


def _factor(target: Target) -> float | None:
    if target.length is None or not target.original.tokens or not target.scalings:
        return None
    return target.length / target.original.tokens


def ropes_of(model: Any) -> Mapping[str, Rope | None]:
    """The Ropes that an extended model rotates by, by what its rotary modules are told of layers."""
    from yarncore.transformers.rotary import RotaryModule

    return {
        label: rope
        for module in model.modules()
        if isinstance(module, RotaryModule)
        for label, rope in module.ropes.items()
    }
