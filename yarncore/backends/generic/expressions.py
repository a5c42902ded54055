"""The rotation in array-API expressions, for any framework, under any tracer and on any device.

Rows of cos and sin from generic_rows.py, then a product and a sum for each member of a pair.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from yarncore.backends.backend import Backend, delivered
from yarncore.backends.generic.products import product_of
from yarncore.backends.generic.rows import Rows, rows_of
from yarncore.frameworks.expressions import constant, namespace_of
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import of
from yarncore.request.request import RotationRequest
from yarncore.request.tensors import element_type
from yarncore.turns.record import RotationRecord

_NEEDED = (
    "asarray", "arange", "astype", "where", "stack", "concat", "reshape", "expand_dims", "moveaxis", "broadcast_to", "take",
    "floor", "abs", "all", "logical_and", "logical_not", "float32", "int32", "uint32",
)  # fmt: skip


class GenericBackend(Backend):
    """Array operations of the framework of x itself."""

    name = "generic"
    does = "array operations of"

    def refusal(self, x: Array) -> str | None:
        try:
            xp = namespace_of(x)
        except TypeError:
            return f"{type(x).__module__}.{type(x).__qualname__} has no array-API namespace"
        missing = [name for name in _NEEDED if not hasattr(xp, name)]
        return f"the namespace {getattr(xp, '__name__', xp)} has no {', '.join(missing)}" if missing else None

    def request_refusal(self, request: RotationRequest) -> str | None:
        if request.slots is not None and not of(request.inputs[0]).takes_slots:
            return "slots need an array that can be written in place"
        if request.slots is not None and of(request.slots).is_watched():
            return "slots of a tensor are read, which a tracer cannot record; a list or a NumPy array is expected"
        return None

    def rotate(self, request: RotationRequest) -> list[Array]:
        if request.slots is not None:
            return _rotate_slots(request)
        with of(request.inputs[0]).among(request.inputs[0]):
            return _rotate_tokens(request)


def _rotate_tokens(request: RotationRequest) -> list[Array]:
    xp = namespace_of(request.inputs[0])
    rows = _rows_of_inputs(request, lambda one: rows_of(xp, one, request.token_shape))
    axis = request.heads_axis
    return delivered(
        request, [_rotate_array(xp, x, rows[n], request.record, axis) for n, x in enumerate(request.inputs)]
    )


def _rows_of_inputs(request: RotationRequest, make: Callable[[RotationRequest], Rows]) -> list[Rows]:
    """The rows of each input, made once where they are the same."""
    records = [request.record_of(n) for n in range(len(request.inputs))]
    made = [make(request)]
    for record in records[1:]:
        made.append(made[0] if record is request.record else make(replace(request, record=record)))
    return made


def _rotate_slots(request: RotationRequest) -> list[Array]:
    """In place on some tokens: gather them, turn them, put them back."""
    assert request.outputs is not None
    named = of(request.slots).on_host(request.slots)
    keep = (named >= 0) & (named < math.prod(request.token_shape))
    slots = named[keep]
    axis = request.heads_axis
    for n, x in enumerate(request.outputs):
        xp = namespace_of(x)
        moved = x if axis is None else xp.moveaxis(x, axis, -2)
        # Advanced indexing by one index array a token axis: one gather, one scatter, whatever the strides are.
        index = of(x).at_index(x, np.unravel_index(slots, request.token_shape) if request.token_shape else ())
        picked = moved[index]
        rows = rows_of(xp, replace(request, record=request.record_of(n)), request.slots.shape)
        chosen = constant(xp, keep.nonzero()[0], xp.int64, like=x)
        rows = rows.taken(xp, chosen)
        moved[index] = _rotate_array(xp, picked, rows, request.record, None if axis is None else -2)
    return request.outputs


def _rotate_array(xp: Namespace, x: Array, rows: Rows, record: RotationRecord, axis: int | None) -> Array:
    """y = x turned by rows of cos and sin; tokens at position 0 of a rotation with factor 1 are copied."""
    if axis is not None:
        rows = rows.each(lambda row: xp.expand_dims(row, axis=axis))
    product = product_of(xp)
    work = xp.float64 if element_type(x) == "float64" else xp.float32
    cos, sin = xp.astype(rows.cos, work), xp.astype(rows.sin, work)
    dim, start, end = record.rotary_dim, record.rotary_start, record.rotary_end
    middle = start + dim // 2
    wide = xp.astype(x, work) if x.dtype != work else x
    if record.interleaved:
        x0, x1 = wide[..., start:end:2], wide[..., start + 1 : end : 2]
    else:
        x0, x1 = wide[..., start:middle], wide[..., middle:end]
    y0 = product(xp, x0, cos) - product(xp, x1, sin)
    y1 = product(xp, x1, cos) + product(xp, x0, sin)
    if record.interleaved:
        turned = xp.reshape(xp.stack([y0, y1], axis=-1), (*x.shape[:-1], dim))
    else:
        turned = xp.concat([y0, y1], axis=-1)
    turned = xp.astype(turned, x.dtype) if turned.dtype != x.dtype else turned
    turned = xp.where(rows.identity, x[..., start:end], turned)
    width = x.shape[-1]  # a tracer's own kind of number, perhaps, which a comparison would fix
    reaches_end = end == record.head_dim or (isinstance(width, int) and end == width)
    if not start and reaches_end:
        return turned
    beside = x if rows.scale is None else xp.astype(product(xp, wide, xp.astype(rows.scale, work)), x.dtype)
    parts = [*([beside[..., :start]] if start else []), turned, *([] if reaches_end else [beside[..., end:]])]
    return xp.concat(parts, axis=-1)
