"""Runs a small model once and tells, layer by layer, how it rotates."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from inputs import TOKENS, inputs_of
from not_run import NotRun
from observed import Seen, observe
from pairs import SeenRotation, seen_rotation
from rotary_classes import RotaryModel

# Of the tokens of a run, the first stands at 0, the next at 1 in one section each, one at small numbers that differ, and
# the last where the length asked for ends.
SECTIONS = 4
_STILL, _SMALL = 0, 5
_SMALL_POSITIONS = (3, 5, 7, 2)
_LARGEST = 60_000_000


@dataclass(frozen=True, slots=True)
class LayerRun:
    """What a layer did.

    Attributes
    ----------
    layer_type : str
        By the configuration's own list; "" where it has none.
    rotation : SeenRotation or None
        None: nothing was rotated.
    scaling : float or None
        The factor of the logits, where attention is a function that takes one.
    query_dim : int or None
        How long the queries are that reach attention.
    """

    index: int
    layer_type: str
    rotation: SeenRotation | None
    scaling: float | None
    query_dim: int | None


def positions_up_to(length: int) -> torch.Tensor:
    """(sections, tokens): what `TOKENS` is said to be above."""
    positions = torch.zeros(SECTIONS, TOKENS, dtype=torch.long)
    for section in range(SECTIONS):
        positions[section, 1 + section] = 1
        positions[section, _SMALL] = _SMALL_POSITIONS[section]
    positions[:, -1] = length - 1
    return positions


def make(rotary: RotaryModel, config: Any) -> torch.nn.Module:
    """A model with random weights.

    Raises
    ------
    NotRun
    """
    config._attn_implementation = "eager"
    try:
        with torch.device("meta"):
            size = sum(parameter.numel() for parameter in rotary.model()(config).parameters())
        if size > _LARGEST:
            raise NotRun(f"{size / 1e6:.0f} million parameters even when made small")
        torch.manual_seed(1)
        return rotary.model()(config).eval()
    except NotRun:
        raise
    except Exception as error:
        raise NotRun(f"its constructor raises {_said(error)}") from error


def run(rotary: RotaryModel, config: Any, length: int = 64) -> tuple[LayerRun, ...]:
    """What each layer of a model does, run up to a length.

    Raises
    ------
    NotRun
        Also where what was seen is no rotation that is the same for queries, keys and heads.
    """
    model = make(rotary, config)
    try:
        seen = observe(model, positions_up_to(length), inputs_of(model, config))
    except NotRun:
        raise
    except Exception as error:
        raise NotRun(f"its run raises {_said(error)}") from error
    return _layers(seen, config)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def _layers(seen: Seen, config: Any) -> tuple[LayerRun, ...]:
    rotations: dict[int, SeenRotation] = {}
    for call in seen.rotations:
        index = 0 if call.layer is None else call.layer
        for maps in call.maps:
            found = _checked_rotation(maps.numpy(), call.own_positions)
            first = rotations.setdefault(index, found)
            if found not in (first, first.turned_back):  # deepseek_v4 turns what attention gives back
                raise NotRun(f"layer {index} rotates in two ways")
    attentions = {call.layer: call for call in seen.attentions}
    types = getattr(config, "layer_types", None)
    count = max([getattr(config, "num_hidden_layers", 0) or 0, *(index + 1 for index in rotations)])
    if types is None or len(types) != count:
        types = [""] * count
    return tuple(
        LayerRun(
            index,
            types[index],
            rotations.get(index),
            attentions[index].scaling if index in attentions else None,
            attentions[index].query_dim if index in attentions else None,
        )
        for index in range(count)
    )


def _checked_rotation(maps: Any, own_positions: bool) -> SeenRotation:
    """The rotation of the first positions, which has to hold at others too."""
    units = [1] if own_positions else list(range(1, 1 + SECTIONS))
    try:
        found = seen_rotation(maps, _STILL, units)
    except ValueError as error:
        raise NotRun(f"what it does to a head is no rotation: {error}") from None
    elsewhere = (_SMALL,) * SECTIONS if own_positions else _SMALL_POSITIONS
    start = maps[_STILL]
    for pair in found.pairs:
        angle = pair.radians * elsewhere[pair.section or 0]
        out = start[:, [pair.first, pair.second]].T @ maps[_SMALL][:, pair.first] / found.factor**2
        if not np.allclose(out, [np.cos(angle), np.sin(angle)], atol=2e-6):
            raise NotRun("the angle is no multiple of the position")
    return found
