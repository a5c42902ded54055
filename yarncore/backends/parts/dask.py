"""Dask arrays, block by block: each block is rotated where it is computed, by the backend of its own framework."""

import functools
from typing import Any

import numpy as np

from yarncore.backends.backend import Backend
from yarncore.backends.parts.part import rotate_part
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_numpy
from yarncore.request.request import RotationRequest
from yarncore.turns.given import GivenTables
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable


class DaskBackend(Backend):
    """Lazy results of Dask arrays, whose blocks need not fit into memory together."""

    name = "generic"
    does = "block by block, each by the backend of its own framework, arrays of"
    frameworks = ("dask",)

    def request_refusal(self, request: RotationRequest) -> str | None:
        record = request.record
        if isinstance(record.turns, GivenTables):
            return "blocks are turned by positions, not by tables that are given"
        if not isinstance(record.turns, TurnsTable) or not (record.rows is None or is_numpy(record.rows)):
            return "the frequencies or the lengths are not known before the blocks are"
        return None if isinstance(request.positions.offset, int) else "the offset of the positions is not known yet"

    def rotate(self, request: RotationRequest) -> list[Array]:
        return [_rotate(x, request, request.record_of(n)) for n, x in enumerate(request.inputs)]


def _rotate(x: Array, request: RotationRequest, record: RotationRecord) -> Array:
    """x rotated, lazily.

    Raises
    ------
    ValueError
        Where the last axis is in several chunks, or positions are counted along chunks of unknown sizes.
    """
    import dask.array as da
    from dask.base import tokenize

    if len(x.chunks[-1]) > 1:
        raise ValueError(
            f"the last axis has chunks {x.chunks[-1]}, and a pair must not be torn apart; rechunk({{-1: -1}}) is expected"
        )
    axes = tuple(range(x.ndim))
    heads = None if request.heads_axis is None else x.ndim + request.heads_axis
    token_axes = tuple(axis for axis in axes[:-1] if axis != heads)
    record = record.changed()
    lead = (x.ndim,) * len(record.position_axes)  # an index that no axis of x has
    operands: list[Any] = [x, axes]
    for values, leading in ((_positions(x, request, token_axes), lead), (record.rows, ())):
        if values is None:
            operands += [None, None]
            continue
        if isinstance(values, np.ndarray):
            # Once what is repeated: a batch of the same positions must not become an array of its own.
            values = values[tuple(slice(None, 1 if stride == 0 else None) for stride in values.strides)]
            values = da.from_array(values, name=f"yarncore-{tokenize(values)}")
        along = token_axes[len(token_axes) - (values.ndim - len(leading)) :]
        values = values.rechunk({i: -1 for i, n in enumerate(values.shape) if i < len(leading) or n == 1})
        operands += [values, (*leading, *along)]
    work = functools.partial(_rotate_block, record=record.changed(rows=None, lengths_shape=()),
                             heads_axis=request.heads_axis)  # fmt: skip
    assert isinstance(record.turns, TurnsTable)
    section = None if record.pair_section is None else record.pair_section.tobytes()
    layout = (record.turns.text, section, record.conjugate, record.interleaved, record.rotary_start, record.head_dim,
              record.query_letters, request.heads_axis)  # fmt: skip
    name = "yarncore-rotate-" + tokenize(x.name, *(getattr(part, "name", part) for part in operands[2:]), layout)
    return da.blockwise(
        work, axes, *operands, dtype=x.dtype, meta=x._meta, name=name, concatenate=True, align_arrays=True
    )


def _positions(x: Array, request: RotationRequest, token_axes: tuple[int, ...]) -> Array:
    import dask.array as da

    if request.positions.array is not None:
        return request.positions.array
    if not token_axes:
        return np.asarray([request.positions.offset])
    chunks = x.chunks[token_axes[-1]]
    if any(size != size for size in chunks):
        raise ValueError(
            f"positions is counted along axis {token_axes[-1]}, whose chunks have unknown sizes; give positions, or call "
            "compute_chunk_sizes() first"
        )
    return da.arange(sum(chunks), chunks=(chunks,), dtype=np.int64) + np.int64(request.positions.offset)


def _rotate_block(
    x: Array, positions: Array, rows: Array | None, *, record: RotationRecord, heads_axis: int | None
) -> Array:
    if rows is not None:
        record = record.changed(rows=np.asarray(rows, dtype=np.int32), lengths_shape=rows.shape)
    return rotate_part(RotationRequest.of_part(x, positions, record, heads_axis))
