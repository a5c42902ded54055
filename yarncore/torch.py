"""The rotation as a module of torch: a drop-in for a model's rotary embedding."""

from typing import Any

import torch

from yarncore.request.heads import AUTOMATIC_HEADS_AXIS
from yarncore.rope.rope import Rope


class RotaryEmbedding(torch.nn.Module):  # type: ignore[misc]
    """Rotate q and k by their positions.

    It has no parameters and no buffers, so that nothing can be lost in a checkpoint, left without values by a
    construction on the meta device, or rounded by `.to(torch.bfloat16)`: its state_dict is empty, and angles stay exact.

    Parameters
    ----------
    rope : Rope
    heads_axis : int or None, keyword-only
        As for Rope.rotate, for every call that does not say otherwise.
    """

    def __init__(self, rope: Rope, *, heads_axis: int | None = AUTOMATIC_HEADS_AXIS) -> None:
        super().__init__()
        if not isinstance(rope, Rope):
            raise TypeError(f"rope is {rope!r}; a Rope is expected")
        self.rope = rope
        self.heads_axis = heads_axis

    def forward(
        self,
        q: torch.Tensor,
        k: torch.Tensor | None,
        positions: Any,
        length: Any = None,
        *,
        heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
    ) -> Any:
        """q and k rotated; see Rope.rotate."""
        axis = self.heads_axis if heads_axis is AUTOMATIC_HEADS_AXIS else heads_axis
        return self.rope.rotate(q, k, positions, heads_axis=axis, length=length)

    def extra_repr(self) -> str:
        """The Rope, and the axis of heads where it is given."""
        return (
            repr(self.rope)
            if self.heads_axis is AUTOMATIC_HEADS_AXIS
            else f"{self.rope!r}, heads_axis={self.heads_axis}"
        )
