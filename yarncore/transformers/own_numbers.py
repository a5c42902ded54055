"""The numbers of a model's own rotary module, beside what its configuration was read as."""

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from yarncore.rope.rope import Rope
from yarncore.transformers.decoder import Place
from yarncore.transformers.functions import ARRANGEMENTS, tables_of_models

_TOKENS = 6
_EQUAL = 1e-5  # float32 cosines of angles below 16 radians


@dataclass(frozen=True, slots=True)
class OwnModule:
    """What a rotary module was seen to do.

    Attributes
    ----------
    labels : mapping of str to tuple of str
        What it is told of layers ("": nothing) -> the layer types whose Ropes have its numbers.
    arrangement : str
        One of ARRANGEMENTS; empty where its numbers could not be had.
    sin_first : bool
    """

    labels: Mapping[str, tuple[str, ...]]
    arrangement: str
    sin_first: bool


def seen(place: Place, found: Mapping[str, Rope | None]) -> OwnModule:
    """Which of the Ropes a rotary module turns by.

    Raises
    ------
    ValueError
        Where its numbers are those of none: code of its own.
    """
    rotating = {name: rope for name, rope in found.items() if rope is not None}
    module = _with_numbers(place.module)
    if module is None:
        return _unseen(place, rotating)
    takes_type = "layer_type" in inspect.signature(module.forward).parameters
    labels, arranged = _matched(place, module, rotating, by_type=takes_type)
    if not labels and takes_type:  # it takes a type, and its model gives none (ESM)
        labels, arranged = _matched(place, module, rotating, by_type=False)
    if not labels:
        raise _other_numbers(place, next(iter(rotating.values())))
    (arrangement, sin_first), *_ = arranged
    return OwnModule(labels, arrangement, sin_first)


def _matched(
    place: Place, module: torch.nn.Module, rotating: Mapping[str, Rope], by_type: bool
) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, bool]]]:
    """The layer types that each label serves, and how the tables are arranged."""
    labels: dict[str, tuple[str, ...]] = {}
    arranged = []
    for name, rope in rotating.items():
        label = name.partition(",")[0] if by_type else ""
        how = _arrangement(module, label, rope)
        if how is not None:
            labels[label] = (*labels.get(label, ()), name)
            arranged.append(how)
        elif by_type and _tables(module, label, rope) is not None:
            raise _other_numbers(place, rope)
    return labels, arranged


def _other_numbers(place: Place, rope: Rope) -> ValueError:
    return ValueError(
        f"{place.path} ({type(place.module).__name__}) gives other cos and sin than the configuration says, {rope!r}: code of "
        "its own, which is not extended"
    )


def _unseen(place: Place, rotating: Mapping[str, Rope]) -> OwnModule:
    """What can be told of a module whose numbers cannot be had: enough where all layers rotate alike."""
    if len(set(rotating.values())) > 1:
        raise ValueError(
            f"{place.path} ({type(place.module).__name__}) has no numbers and cannot be made anew, so that which of "
            f"{', '.join(rotating)} it serves is not known"
        )
    if "layer_type" in inspect.signature(place.module.forward).parameters:
        return OwnModule({name: (name,) for name in rotating}, "", False)
    return OwnModule({"": tuple(rotating)}, "", False)


def _with_numbers(module: torch.nn.Module) -> torch.nn.Module | None:
    """A module of the same numbers, on the CPU, that may be called; None where there is none.

    A dynamic method changes its module when it is called: the model's own is not. Where the numbers are absent (meta
    device) or were rounded (`.to(torch.bfloat16)` rounds frequencies) they are made anew from the configuration.
    """
    floats = [buffer for buffer in module._buffers.values() if buffer is not None and buffer.is_floating_point()]
    if all(buffer.device.type != "meta" and buffer.dtype in (torch.float32, torch.float64) for buffer in floats):
        twin = copy.copy(module)
        buffers = {name: None if b is None else b.detach().to("cpu", copy=True) for name, b in module._buffers.items()}
        twin.__dict__["_buffers"] = buffers
        return twin
    try:
        with torch.device("cpu"):
            made: torch.nn.Module = type(module)(module.config)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return None
    return made


def _positions(rope: Rope) -> torch.Tensor:
    positions = torch.arange(_TOKENS, device="cpu")[None]
    if rope.sections is None:
        return positions
    return torch.stack([positions + 2 * section for section in range(len(rope.sections))])


def _tables(module: torch.nn.Module, label: str, rope: Rope) -> Any:
    """What the module returns for small positions; None where it takes no such label."""
    x = torch.zeros(1, _TOKENS, 8, device="cpu")
    try:
        with torch.no_grad():
            return module(x, _positions(rope), layer_type=label) if label else module(x, _positions(rope))
    except (AttributeError, KeyError):
        return None


def _arrangement(module: torch.nn.Module, label: str, rope: Rope) -> tuple[str, bool] | None:
    """How the module arranges the cos and sin of a Rope; None where its numbers are others."""
    given = _tables(module, label, rope)
    if given is None:
        return None
    positions = _positions(rope)
    cos, sin = tables_of_models(rope).cos_sin(positions, length=int(positions.max()) + 1, dtype=torch.float64)
    for name, (of_cos, of_sin) in ARRANGEMENTS.items():
        ours = (of_cos(cos, sin),) if name == "complex" else (of_cos(cos, sin), of_sin(cos, sin))
        theirs = given if isinstance(given, tuple) else (given,)
        for sin_first in (False, True):
            if len(ours) == len(theirs) and all(map(_equal, ours[::-1] if sin_first else ours, theirs)):
                return name, sin_first
    return None


def _equal(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    if ours.shape != theirs.shape or ours.is_complex() != theirs.is_complex():
        return False
    return bool((ours - theirs.to(ours.dtype)).abs().max() <= _EQUAL)
