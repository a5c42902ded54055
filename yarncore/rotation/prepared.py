"""Prepared: a rotation at positions that many calls share, as the layers of a model do."""

from typing import Any

import numpy as np

from yarncore.backends.carry_out import cos_sin, run, tables_while_compiled
from yarncore.backends.native.plain_call import tries_short_cut
from yarncore.backends.native.prepared_rows import short_cut_of_prepared
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, of
from yarncore.frameworks.tracers import extents_may_be_compared
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS
from yarncore.request.positions import broadcast_shape, broadcasts_to, place
from yarncore.request.prepared import PreparedPositions
from yarncore.turns.record import RotationRecord


class Prepared:
    """A rotation at given positions, made by `prepare` of a Rope or a Rotation. Hashable by identity.

    The rows of cos and sin are made at the first call and serve all others: rotate, rotate_, their gradients. The bits
    are those of a call with the positions. They take 8 bytes a pair and token (16 for float64), once more for
    gradients; beyond 256 MiB they are not kept, and each call makes its own, a block of tokens at a time. A kernel on a
    GPU makes them as it goes, which is quicker there than reading them.
    """

    __slots__ = ("_prepared", "_record", "_short_cut")

    _record: RotationRecord
    _prepared: PreparedPositions
    _short_cut: Any

    def __init__(self, record: RotationRecord, positions: Any) -> None:
        self._record = record
        self._prepared = _checked(record, positions)
        self._short_cut = False

    @property
    def positions(self) -> Array:
        """The positions, in tokens."""
        return self._prepared.array

    @tries_short_cut(in_place=False, prepared=True)
    def rotate(
        self,
        q: Array,
        k: Array | None,
        *,
        heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
        query: bool | None = None,
        out: Any = None,
        backend: str | None = None,
    ) -> Any:
        """Rotate q and k; see Rope.rotate.

        Raises
        ------
        ValueError
            Also where the positions do not broadcast against the tokens, or live on another device.
        """
        return self._run(q, k, heads_axis=heads_axis, query=query, out=out, backend=backend)

    @tries_short_cut(in_place=True, prepared=True)
    def rotate_(
        self,
        q: Array,
        k: Array | None,
        *,
        heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
        query: bool | None = None,
        backend: str | None = None,
    ) -> Any:
        """Rotate q and k in place and return them; see Rope.rotate_."""
        return self._run(q, k, heads_axis=heads_axis, query=query, in_place=True, backend=backend)

    def cos_sin(self, *, dtype: Any = None) -> tuple[Array, Array]:
        """cos and sin of the phases, attention factor included; see Rope.cos_sin."""
        return cos_sin(self._record, self._prepared.array, dtype)

    def _run(self, q: Array, k: Array | None, **how: Any) -> Any:
        results = run(self._record, q, k, self._prepared.array, prepared=self._prepared, **how)
        if self._short_cut is False and self._prepared.kept:
            self._short_cut = short_cut_of_prepared(self._prepared, self._record)
        return results

    def __repr__(self) -> str:
        return f"<Prepared: {self._record.rotary_dim} elements of a head, positions of shape {self._prepared.grid}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Prepared, (self._record.changed(), self._prepared.array)


def _checked(record: RotationRecord, positions: Any) -> PreparedPositions:
    """Positions of which the grid is known, copied where they could be changed."""
    if isinstance(positions, (list, tuple)):
        positions = np.asarray(positions if len(positions) else np.zeros(0, dtype=np.int64))
    if not is_array(positions):
        raise TypeError(f"positions is {positions!r}; an array is expected: there is no tensor to count along")
    shape, sections = tuple(positions.shape), record.position_axes
    if len(shape) < 1 + len(sections):
        raise ValueError(f"positions has shape {shape}; an axis of tokens is expected, such as (1,) for one token")
    tokens = shape[len(sections) :]
    with extents_may_be_compared():
        array = place(positions, tokens, tokens, sections, like=positions, axis=None).array
        grid = broadcast_shape(tokens, record.lengths_shape)
        if not (broadcasts_to(tokens, grid) and broadcasts_to(record.lengths_shape, grid)):
            raise ValueError(
                f"positions has {tokens} tokens and length has shape {record.lengths_shape}, which do not broadcast"
            )
    array = of(array).kept(array)
    return PreparedPositions(array, grid, record.turns.pairs, tables_while_compiled(record, array))
