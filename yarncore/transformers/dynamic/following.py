"""What a rotary module needs to hand out rotations that follow the length."""

from collections.abc import Mapping

import torch

from yarncore.rope.rope import Rope
from yarncore.transformers.dynamic.hooks import CacheFollower
from yarncore.transformers.dynamic.one_forward import ByShape, Followed
from yarncore.transformers.dynamic.scales import Scales
from yarncore.transformers.handed import ropes_by_shape


class Following:
    """The Ropes of a rotary module that look at the length, and what follows lengths and cache.

    Parameters
    ----------
    follower : CacheFollower
    ropes : mapping of layer type to Rope
    before : mapping of layer type to Rope
        Of the model before it was extended.
    """

    def __init__(self, follower: CacheFollower, ropes: Mapping[str, Rope], before: Mapping[str, Rope]) -> None:
        self.follower = follower
        looking = {
            label: rope for label, rope in ropes.items() if rope.scaling is not None and rope.scaling.needs_length
        }
        self.scales = {label: _by_shape(rope) for label, rope in looking.items()}
        self.on_logits = any(getattr(rope.scaling, "softmax_mscale", None) for rope in looking.values())
        self.before = {label: _by_shape(before[label]) for label in looking}

    def followed(self, layer_type: str, positions: torch.Tensor, rows: int) -> Followed | None:
        """What rotates at these positions in this forward; None: the lengths are those of the positions.

        So it is without a cache while a graph is made, which cannot read them.
        """
        scales = self.scales.get(layer_type)
        if scales is None:
            return None
        if torch.compiler.is_compiling() and self.follower.forward.record is None and not self.on_logits:
            return None
        return self.follower.forward.followed(scales, self.before[layer_type], positions, rows)


def _by_shape(rope: Rope) -> ByShape:
    return {shape: Scales(of_shape) for shape, of_shape in ropes_by_shape(rope).items()}
