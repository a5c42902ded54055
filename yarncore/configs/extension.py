"""How a model is put on a longer context: by which scaling, and which of its layers."""

import dataclasses
from collections.abc import Mapping

from yarncore.configs.model_ropes import ModelRopes
from yarncore.rope.rope import Rope
from yarncore.scaling import Proportional, YaRN
from yarncore.scaling.scaling import Scaling

# transformers' own words for layers that look at a window only (configuration_utils.py, ALLOWED_LAYER_TYPES)
_WINDOWED = ("sliding_attention", "chunked_attention")


def yarn(found: ModelRopes, factor: float, original_length: int) -> YaRN:
    """YaRN with the temperature where the model's attention has it."""
    if found.softmax_temperature:  # as DeepSeek: it multiplies whole logits, of which the rotated slice is a part
        return YaRN(factor, original_length, mscale=1.0, mscale_all_dim=1.0, softmax_mscale=1.0)
    return YaRN(factor, original_length)


def scaled_layers(found: ModelRopes, shared: bool) -> tuple[str, ...]:
    """The layer types that are to be scaled: those of a window see no more than before, where they can be left out.

    Parameters
    ----------
    shared : bool
        One setting, or one module, serves all layers: what is scaled, is scaled in all.
    """
    rotating = [name for name, rope in found.items() if rope is not None]
    windowed = {name for name in rotating if name.partition(",")[0] in _WINDOWED}
    spared = set() if shared or windowed == set(rotating) else windowed
    return tuple(name for name in rotating if name not in spared)


def is_scaled(scaling: Scaling | None) -> bool:
    """Whether a rope's own scaling extends its context: a part that stands still does not."""
    return scaling is not None and not (isinstance(scaling, Proportional) and scaling.factor == 1)


def rescaled(name: str, rope: Rope | None, wanted: Mapping[str, Scaling | None]) -> Rope | None:
    """The Rope of a layer type with another scaling, where one is wanted for it.

    Raises
    ------
    ValueError
        Where a part of each head stands still: no other scaling stands on that.
    """
    if rope is None or name not in wanted:
        return rope
    scaling = wanted[name]
    if isinstance(rope.scaling, Proportional) and not isinstance(scaling, Proportional) and scaling is not None:
        raise ValueError(
            f"layers of type {name!r} rotate by {rope.scaling!r}, which no other scaling stands on; give "
            f"{{{name!r}: Proportional(...)}}"
        )
    return dataclasses.replace(rope, scaling=scaling)
