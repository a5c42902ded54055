"""The rotation as a module of torch: a drop-in for a model's rotary embedding."""

from typing import Any, TypedDict, Unpack

import torch

from yarncore.frameworks.tracers import refuse_proxy
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS
from yarncore.rope.rope import Rope


class _How(TypedDict, total=False):
    heads_axis: int | None
    query: bool | None


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
        **how: Unpack[_How],
    ) -> Any:
        """q and k rotated; see Rope.rotate."""
        # heads_axis by name alone would be given by place, with its default, by torch.onnx.export(dynamo=False).
        if type(how) is dict and not how:
            return self.rope.rotate(q, k, positions, heads_axis=self.heads_axis, length=length)
        refuse_proxy(q)  # before `how`, which torch.fx.symbolic_trace makes one too
        return self.rope.rotate(q, k, positions, length=length, **({"heads_axis": self.heads_axis} | how))

    def extra_repr(self) -> str:
        """The Rope, and the axis of heads where it is given."""
        return (
            repr(self.rope)
            if self.heads_axis is AUTOMATIC_HEADS_AXIS
            else f"{self.rope!r}, heads_axis={self.heads_axis}"
        )
