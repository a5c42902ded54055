"""What a rotary module hands to the layers in the place of cos and sin."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from yarncore.rope.rope import Rope


def ropes_by_shape(rope: Rope) -> Mapping[tuple[int, bool], Rope]:
    """A Rope for whatever a layer may rotate: the whole head or the slice that turns, and either layout of pairs."""
    found = {}
    for interleaved in (True, False):
        if rope.sections is not None and interleaved != rope.interleaved:
            continue  # no model has a second layout beside sections
        of_head = dataclasses.replace(rope, interleaved=interleaved)
        found[rope.rotary_dim, interleaved] = dataclasses.replace(of_head, head_dim=rope.rotary_dim)
        found[rope.head_dim, interleaved] = of_head
    return found


class Handed:
    """Where the tokens of a forward pass stand, and how they are turned there.

    Parameters
    ----------
    ropes : mapping of (elements of a head, interleaved) to Rope
    positions : Tensor
        (batch, seq), or (sections, batch, seq).
    length : Tensor or None
        Of each row's whole sequence, for scalings that look at it.
    """

    __slots__ = ("length", "positions", "ropes")

    def __init__(
        self, ropes: Mapping[tuple[int, bool], Rope], positions: torch.Tensor, length: torch.Tensor | None
    ) -> None:
        self.ropes = ropes
        self.positions = positions
        self.length = length

    def to(self, device: Any, *args: Any, **kwargs: Any) -> "Handed":
        """The same on another device: what transformers and accelerate do to cos and sin."""
        if not isinstance(device, (str, int, torch.device)):
            return self  # a dtype: positions have none to change
        length = None if self.length is None else self.length.to(device)
        return Handed(self.ropes, self.positions.to(device), length)

    def rotate(self, q: torch.Tensor, k: torch.Tensor | None, heads_axis: int, interleaved: bool, fresh: bool) -> Any:
        """q and k turned, in the one place where it is done.

        Parameters
        ----------
        fresh : bool
            Nobody else holds q and k: they may be turned in place.
        """
        rope = self.ropes.get((q.shape[-1], interleaved))
        if rope is None:
            widths = sorted({width for width, layout in self.ropes if layout == interleaved})
            raise ValueError(f"q has heads of {q.shape[-1]} elements; {' or '.join(map(str, widths))} are expected")
        if fresh and not is_recorded(q, k):
            return rope.rotate_(q, k, self.positions, heads_axis=heads_axis, length=self.length)
        return rope.rotate(q, k, self.positions, heads_axis=heads_axis, length=self.length)


def is_recorded(q: torch.Tensor, k: torch.Tensor | None) -> bool:
    """Whether a gradient or a compiler follows the call, for which fresh results are the better ones."""
    if torch.compiler.is_compiling():
        return True
    return torch.is_grad_enabled() and (q.requires_grad or (k is not None and k.requires_grad))
