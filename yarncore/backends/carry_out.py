"""Carrying out a rotation: check, choose a backend, rotate; and cos and sin by the same road."""

import sys
from typing import Any

import numpy as np

from yarncore._arguments import is_number
from yarncore.backends.choice import choose
from yarncore.backends.native.plain_call import attempt
from yarncore.backends.torch.roads import rotate_by
from yarncore.frameworks.expressions import device_argument, namespace_of
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, of_namespace
from yarncore.frameworks.tracers import extents_may_be_compared
from yarncore.request.positions import broadcast_shape
from yarncore.request.prepared import PreparedPositions
from yarncore.request.request import make_request
from yarncore.request.tensors import element_type
from yarncore.turns.given import GivenTables
from yarncore.turns.record import RotationRecord

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "<required>"})()
"""Default of an argument that must be given, so that its absence gets a sentence of its own."""


def run(
    record: RotationRecord,
    q: Array,
    k: Array | None,
    positions: Any,
    *,
    heads_axis: Any,
    out: Any = None,
    in_place: bool = False,
    backend: str | None = None,
    slots: Any = None,
    prepared: PreparedPositions | None = None,
    names: tuple[str, str] = ("q", "k"),
    query: bool | None = None,
) -> Any:
    """Check, choose a backend, rotate: one array in, one array out; two in, two out."""
    if positions is REQUIRED:
        hint = ""
        if is_array(k) and element_type(k) is None:
            hint = "; for one array they come third: rotate(q, None, positions)"
        raise TypeError(f"positions is required (None means 0, 1, 2, ... along the last token axis){hint}")
    if backend is None and slots is None and prepared is None and not isinstance(record.turns, GivenTables):
        done = _plain_call(record, q, k, positions, heads_axis, in_place, out, query)
        if done is not None:
            return done
    with extents_may_be_compared():
        request = make_request(
            record,
            q,
            k,
            positions,
            heads_axis=heads_axis,
            out=out,
            in_place=in_place,
            slots=slots,
            names=names,
            query=query,
        )
    request.prepared = prepared
    results = rotate_by(choose(request, backend), request)
    return results[0] if k is None else tuple(results)


def _plain_call(
    record: RotationRecord, q: Any, k: Any, positions: Any, heads_axis: Any, in_place: bool, out: Any, query: Any
) -> Any:
    """The results of a call that needs no request; None where it is not plain."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.compiler.is_compiling():
        return attempt(record, q, k, positions, heads_axis, in_place, out, query)
    if in_place or out is not None or not isinstance(q, torch.Tensor):
        return None
    from yarncore.backends.torch.compiled import rotate_while_compiled

    return rotate_while_compiled(record, q, k, positions, heads_axis, query)


def tables_while_compiled(record: RotationRecord, positions: Array) -> tuple[Array, Array] | None:
    """cos and sin in float32 of positions that torch.compile traces, once in its graph; None elsewhere."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.compiler.is_compiling() or not isinstance(positions, torch.Tensor):
        return None
    if record.query_scale is not None:  # a row of queries is another one
        return None
    from yarncore.frameworks.torch import takes_operator

    return cos_sin(record, positions, torch.float32) if takes_operator(positions) else None


def cos_sin(record: RotationRecord, positions: Any, dtype: Any) -> tuple[Array, Array]:
    """cos and sin as the rotation of a key (1, 0): the one primitive, so that they are what rotate uses."""
    if positions is None:
        raise TypeError(
            "positions is None; an integer, a list or an array is expected: there is no tensor to count along"
        )
    if is_number(positions) and not is_array(positions):
        positions = np.asarray(positions)
    given = (
        positions if is_array(positions) else np.asarray(positions if len(positions) else np.zeros(0, dtype=np.int64))
    )
    xp = namespace_of(given)
    if dtype is None:
        dtype = of_namespace(xp).default_float(xp)
    grid = tuple(given.shape[len(record.position_axes) :])
    if record.lengths_shape:
        with extents_may_be_compared():
            grid = broadcast_shape(grid, record.lengths_shape)
    one_token = len(given.shape) == 0 and not grid
    if len(given.shape) == 0:
        given = xp.reshape(given, (1,))  # one token: a 0-d integer would be read as an offset
        grid = grid or (1,)
    pairs = record.turns.pairs
    unit = xp.zeros((*grid, 2, pairs), dtype=dtype, **device_argument(xp, given))
    ones = xp.ones_like(unit[..., :1, :])
    unit = xp.reshape(xp.concat([ones, unit[..., 1:, :]], axis=-2), (*grid, 2 * pairs))
    plain = record.for_keys.changed(interleaved=False, head_dim=None, rotary_start=0)
    turned = run(plain, unit, None, given, heads_axis=None)
    turned = turned[0, ...] if one_token else turned
    return turned[..., :pairs], turned[..., pairs:]
