"""One forward of a decoder: the lengths of its rows, and what rotates its queries and keys."""

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from yarncore.rotation.prepared import Prepared
from yarncore.rotation.rotation import Rotation
from yarncore.transformers.dynamic.outside_graphs import outside_graphs
from yarncore.transformers.dynamic.record import CacheRecord, lengths_of
from yarncore.transformers.dynamic.scales import Scales
from yarncore.transformers.handed import WORTH_PREPARING, is_recorded

ByShape = Mapping[tuple[int, bool], Scales]
"""Scales for what a layer may rotate: by the elements of a head, the whole or a slice, and whether pairs are interleaved."""

_latest = threading.local()


def latest() -> "Followed | None":
    """What rotated last in this thread: in an attention, what rotated its queries."""
    return getattr(_latest, "followed", None)


class Followed:
    """What stands in the place of (cos, sin): rotates at this forward's positions, each row at its own length.

    Attributes
    ----------
    scales, before : mapping of shape to Scales
        Of the model, and of the model before it was extended.
    positions : integer tensor, shape (rows, tokens) or (sections, rows, tokens)
    lengths : tuple of int
        The canonical length of each row.
    """

    __slots__ = ("_forward", "_prepared", "before", "lengths", "positions", "scales")

    def __init__(
        self,
        forward: "Forward",
        scales: ByShape,
        before: ByShape,
        positions: torch.Tensor,
        lengths: tuple[int, ...],
    ) -> None:
        self._forward = forward
        self.scales = scales
        self.before = before
        self.positions = positions
        self.lengths = lengths
        self._prepared: dict[tuple[int, bool], Prepared] = {}

    def to(self, device: Any, *args: Any, **kwargs: Any) -> "Followed":
        """The same on another device: what transformers and accelerate do to cos and sin."""
        if not isinstance(device, (str, int, torch.device)):
            return self
        return Followed(self._forward, self.scales, self.before, self.positions.to(device), self.lengths)

    @outside_graphs
    def rotate(self, q: torch.Tensor, k: torch.Tensor | None, heads_axis: int, interleaved: bool, fresh: bool) -> Any:
        """q and k rotated; k as it is where the cache holds unrotated keys and turns them on read."""
        shape = q.shape[-1], interleaved
        scales = self.scales.get(shape)
        if scales is None:
            widths = sorted({width for width, layout in self.scales if layout == interleaved})
            raise ValueError(f"q has heads of {q.shape[-1]} elements; {' or '.join(map(str, widths))} are expected")
        turned, where = self._turned(shape, scales)
        rotate = turned.rotate_ if fresh and not is_recorded(q, k) else turned.rotate
        record = self._forward.record
        unrotated = record is not None and record.strategy == "unrotated"
        if k is None and unrotated:
            raise ValueError(
                'keys="unrotated" needs a model that rotates q and k in one call; this one rotates them one by one. '
                'Use keys="rerotated"'
            )
        if k is None or unrotated:
            q = rotate(q, None, heads_axis=heads_axis, **where)
        else:
            q, k = rotate(q, k, heads_axis=heads_axis, **where)
        _latest.followed = self
        self._forward.note(self, shape, q if k is None else k, heads_axis)
        return q if k is None else (q, k)

    def _turned(self, shape: tuple[int, bool], scales: Scales) -> tuple[Rotation | Prepared, dict[str, torch.Tensor]]:
        """What rotates, and the positions where they are not in it."""
        rotation = scales.at_rows(self.lengths)
        if self.positions.shape[-1] < WORTH_PREPARING:
            return rotation, {"positions": self.positions}
        if shape not in self._prepared:
            self._prepared[shape] = rotation.prepare(self.positions)
        return self._prepared[shape], {}

    def on_logits(self) -> Any:
        """What attention multiplies the logits of each row by: an array of shape (rows, 1), or a number."""
        return next(iter(self.scales.values())).at_rows(self.lengths).softmax_scale_factor


class Rotated(NamedTuple):
    """What a layer's rotary function has given back, until the layer caches it.

    Attributes
    ----------
    followed : Followed
    scales : Scales
    before : Scales
        Of the model before it was extended.
    candidates : list of tensor, shape (rows, heads, tokens, width)
        Its keys; where it is called for one array at a time, its queries too.
    """

    followed: Followed
    scales: Scales
    before: Scales
    candidates: list[torch.Tensor]


class Forward:
    """What one forward of a decoder knows.

    Attributes
    ----------
    record : CacheRecord or None
        None: without a cache.
    positions : integer tensor
        Of the tokens of this forward, once the rotary module has been called.
    lengths : tuple of int
        Of each row: its largest position + 1, cached and new.
    """

    __slots__ = ("_rotated", "_turns", "lengths", "positions", "record")

    def __init__(self, record: CacheRecord | None) -> None:
        self.record = record
        self.positions: torch.Tensor | None = None
        self.lengths: tuple[int, ...] = ()
        self._rotated: Rotated | None = None
        self._turns: dict[Any, tuple[Rotation, Prepared]] = {}

    @outside_graphs
    def followed(self, scales: ByShape, before: ByShape, position_ids: torch.Tensor, rows: int) -> Followed:
        """What rotates at these positions.

        Parameters
        ----------
        scales, before : mapping of shape to Scales
            Of the model, and of the model before it was extended.
        position_ids : integer tensor, shape (1 or rows, tokens) or (sections, 1 or rows, tokens)
        rows : int
            The size of the batch.
        """
        positions = position_ids
        if positions.shape[-2] != rows:
            positions = positions.expand(*positions.shape[:-2], rows, positions.shape[-1])
        if self.positions is None:
            self.positions = positions
            self.lengths = self._lengths(positions)
        canonical = next(iter(scales.values())).canonical
        return Followed(self, scales, before, positions, tuple(map(canonical, self.lengths)))

    def _lengths(self, positions: torch.Tensor) -> tuple[int, ...]:
        new = lengths_of(positions)
        cached = self.record.lengths if self.record is not None else ()
        if cached and len(cached) != len(new):
            raise ValueError(
                f"the cache holds {len(cached)} rows and the batch has {len(new)}; the same number is expected"
            )
        return tuple(map(max, cached, new)) if cached else new

    def note(self, followed: Followed, shape: tuple[int, bool], keys: torch.Tensor, heads_axis: int) -> None:
        """Take note of what a layer's rotary function gives back."""
        if self.record is None:
            return
        keys = keys.transpose(-3, -2) if heads_axis == -2 else keys
        if self._rotated is None or self._rotated.followed is not followed:
            self._rotated = Rotated(followed, followed.scales[shape], followed.before[shape], [])
        self._rotated.candidates.append(keys)

    def take(self) -> Rotated | None:
        """What was rotated since a layer last cached; None: nothing, the layer is without such a rotation."""
        taken, self._rotated = self._rotated, None
        return taken

    def prepared(self, turn: Rotation, key: Any, positions: torch.Tensor) -> Prepared:
        """A turn of cached keys at their positions, once for all layers with the same key."""
        key = id(turn), key
        if key not in self._turns:
            self._turns[key] = turn, turn.prepare(positions)  # with the turn: as long as it lives, its id is its own
        return self._turns[key][1]
