"""What a rotary module hands to the layers in the place of cos and sin."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import torch

from yarncore.rope.rope import Rope
from yarncore.rotation.prepared import Prepared

# Tokens of a row from which on it pays to make the rows of cos and sin once for all layers: preparing takes 0.2 ms, and
# with few heads a row costs as much as turning them.
WORTH_PREPARING = 256


def ropes_by_shape(rope: Rope) -> Mapping[tuple[int, bool], Rope]:
    """A Rope for whatever a layer may rotate: the whole head or the slice that turns, and either layout of pairs.

    Without a query scale: a model that has one multiplies its queries in its own attention, and goes on doing so.
    """
    rope = dataclasses.replace(rope, query_scale=None)
    found = {}
    for interleaved in (True, False):
        if rope.sections is not None and interleaved != rope.interleaved:
            continue  # no model has a second layout beside sections
        of_head = dataclasses.replace(rope, interleaved=interleaved)
        found[rope.rotary_dim, interleaved] = of_head.of_slice()
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

    __slots__ = ("_back", "_prepared", "length", "positions", "ropes")

    def __init__(
        self, ropes: Mapping[tuple[int, bool], Rope], positions: torch.Tensor, length: torch.Tensor | None
    ) -> None:
        self.ropes = ropes
        self.positions = positions
        self.length = length
        self._prepared: dict[Rope, Prepared] = {}
        self._back: Handed | None = None

    def __neg__(self) -> "Handed":
        """Turned back, as minus a sine does: what DeepSeek-V4 does with the outputs of attention."""
        if self._back is None:  # one for all layers, as its rows are
            self._back = Handed(self.ropes, -self.positions, self.length)
        return self._back

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
        rope = self._rope(q.shape[-1], interleaved)
        if self.length is None and (torch.compiler.is_compiling() or self.positions.shape[-1] < WORTH_PREPARING):
            turned: Any = rope
            where: dict[str, Any] = {"positions": self.positions}
        else:
            turned, where = self._prepared.get(rope), {}
            if turned is None:
                turned = self._prepared[rope] = rope.prepare(self.positions, length=self.length)
        if fresh and not is_recorded(q, k):
            return turned.rotate_(q, k, heads_axis=heads_axis, **where)
        return turned.rotate(q, k, heads_axis=heads_axis, **where)

    def _rope(self, width: int, interleaved: bool) -> Rope:
        found = self.ropes.get((width, interleaved))
        if found is None:  # DeepSeek-V4's indexer has shorter heads, of which the same elements turn at the end
            at_end = (rope for (_, layout), rope in self.ropes.items() if layout == interleaved and rope.rotary_start)
            found = next((_of_width(rope, width) for rope in at_end if rope.rotary_dim < width), None)
        if found is None:
            widths = sorted({width for width, layout in self.ropes if layout == interleaved})
            raise ValueError(f"q has heads of {width} elements; {' or '.join(map(str, widths))} are expected")
        return found


@functools.lru_cache(maxsize=64)
def _of_width(rope: Rope, width: int) -> Rope:
    """The Rope of a head of another length whose end turns."""
    return dataclasses.replace(rope, head_dim=width, rotary_start=width - rope.rotary_dim)


def is_recorded(q: torch.Tensor, k: torch.Tensor | None) -> bool:
    """Whether a gradient or a compiler follows the call, for which fresh results are the better ones."""
    if torch.compiler.is_compiling():
        return True
    return torch.is_grad_enabled() and (q.requires_grad or (k is not None and k.requires_grad))
