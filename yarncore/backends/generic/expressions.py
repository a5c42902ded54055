"""The rotation in array-API expressions, for any framework, under any tracer and on any device.

Rows of cos and sin from generic_rows.py, then a product and a sum for each member of a pair.
"""

import math
from typing import Any

import numpy as np

from yarncore.backends.backend import Backend, delivered
from yarncore.backends.generic.products import product_of
from yarncore.backends.generic.rows import rows_of
from yarncore.frameworks.expressions import constant, namespace_of
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import of
from yarncore.request.request import RotationRequest
from yarncore.request.tensors import element_type

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
    cos, sin, origin = rows_of(xp, request, request.token_shape)
    return delivered(request, [_rotate_array(xp, x, cos, sin, origin, request) for x in request.inputs])


def _rotate_slots(request: RotationRequest) -> list[Array]:
    """In place on some tokens: gather them, turn them, put them back."""
    assert request.outputs is not None
    named = of(request.slots).on_host(request.slots)
    keep = (named >= 0) & (named < math.prod(request.token_shape))
    slots = named[keep]
    axis = request.heads_axis
    for x in request.outputs:
        xp = namespace_of(x)
        moved = x if axis is None else xp.moveaxis(x, axis, -2)
        # Advanced indexing by one index array a token axis: one gather, one scatter, whatever the strides are.
        index = of(x).at_index(x, np.unravel_index(slots, request.token_shape) if request.token_shape else ())
        picked = moved[index]
        cos, sin, origin = rows_of(xp, request, request.slots.shape)
        chosen = constant(xp, keep.nonzero()[0], xp.int64, like=x)
        cos, sin, origin = (xp.take(row, chosen, axis=0) for row in (cos, sin, origin))
        turned = _rotate_array(xp, picked, cos, sin, origin, request, axis=None if axis is None else -2)
        moved[index] = turned
    return request.outputs


def _rotate_array(
    xp: Namespace, x: Array, cos: Array, sin: Array, origin: Array, request: RotationRequest, axis: Any = ...
) -> Array:
    """y = x turned by rows of cos and sin; tokens at position 0 of a rotation with factor 1 are copied."""
    axis = request.heads_axis if axis is ... else axis
    if axis is not None:
        cos, sin, origin = (xp.expand_dims(row, axis=axis) for row in (cos, sin, origin))
    product = product_of(xp)
    work = xp.float64 if element_type(x) == "float64" else xp.float32
    cos, sin = xp.astype(cos, work), xp.astype(sin, work)
    record = request.record
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
    turned = xp.where(origin, x[..., start:end], turned)
    width = x.shape[-1]  # a tracer's own kind of number, perhaps, which a comparison would fix
    reaches_end = end == record.head_dim or (isinstance(width, int) and end == width)
    parts = [*([x[..., :start]] if start else []), turned, *([] if reaches_end else [x[..., end:]])]
    return turned if len(parts) == 1 else xp.concat(parts, axis=-1)
