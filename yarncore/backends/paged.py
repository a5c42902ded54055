"""Carrying out append_ and move_: in one pass by a backend's kernel, else read, turned and written one after the other."""

import math
from typing import Any

import numpy as np

from yarncore.backends.choice import BACKENDS, choose
from yarncore.backends.torch.roads import rotate_by
from yarncore.errors import BackendUnavailable
from yarncore.frameworks.expressions import constant, namespace_of
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_numpy, of
from yarncore.request.paged import PagedRequest
from yarncore.request.request import RotationRequest


def carry_out(request: PagedRequest) -> list[Array]:
    """The targets of the transfers, in their order."""
    like = request.transfers[0].source
    for backend in BACKENDS:
        if backend.serves(like) and backend.paged_refusal(request) is None:
            return backend.move(request)
    return _one_after_the_other(request)


def _one_after_the_other(request: PagedRequest) -> list[Array]:
    """Tokens are read, then turned, then written: by array operations, which a framework may record."""
    _check_slots_can_be_read(request)
    request = request.read_before()
    turned = _turned(request, [transfer.source for transfer in request.transfers if transfer.turns])
    tokens = [*turned, *(transfer.source for transfer in request.transfers if not transfer.turns)]
    results = []
    for transfer, values in zip(request.transfers, tokens, strict=True):
        if transfer.to_slots:
            _put(request, transfer.target, values)
        elif transfer.target is not None:
            of(transfer.target).write(transfer.target, values)
        results.append(values if transfer.target is None else transfer.target)
    return results


def _check_slots_can_be_read(request: PagedRequest) -> None:
    like = request.transfers[-1].source
    reason = None
    if not of(like).takes_slots:
        reason = "slots need an array that can be written in place"
    for slots in (request.source_slots, request.target_slots):
        if slots is not None and not is_numpy(slots) and of(slots).is_watched():
            reason = "slots of a tensor are read, which a tracer cannot record; a list or a NumPy array is expected"
    if reason is not None:
        raise BackendUnavailable(f"no backend can do this: {reason}")


def _turned(request: PagedRequest, arrays: list[Array]) -> list[Array]:
    """By one term after the other: between two, elements of 16 bits are kept in float32."""
    dtypes = [x.dtype for x in arrays]
    if len(request.terms) > 1:
        arrays = [_widened(x) for x in arrays]
    for term in request.terms:
        rotation = RotationRequest(arrays, None, request.heads_axis, request.grid, term.positions, term.record)
        arrays = rotate_by(choose(rotation, None), rotation)
    return [
        x if x.dtype == dtype else namespace_of(x).astype(x, dtype) for x, dtype in zip(arrays, dtypes, strict=True)
    ]


def _widened(x: Array) -> Array:
    xp = namespace_of(x)
    return x if x.dtype in (xp.float32, xp.float64) else xp.astype(x, xp.float32)


def _put(request: PagedRequest, pool: Any, values: Array) -> None:
    """Write tokens to the slots of a pool that they are for."""
    xp = namespace_of(pool)
    shape = request.pool_shape(pool)
    slots = of(request.target_slots).on_host(request.target_slots)
    kept = np.flatnonzero((slots >= 0) & (slots < math.prod(shape)))
    values = xp.reshape(values, (slots.size, *pool.shape[len(shape) :]))
    if kept.size < slots.size:
        values = xp.take(values, constant(xp, kept, xp.int64, like=pool), axis=0)
    if kept.size:
        pool[of(pool).at_index(pool, np.unravel_index(slots[kept], shape))] = values
