"""append_, checked: keys turned into slots of a cache, values beside them, queries into an array of their own."""

import math
from typing import Any

import numpy as np

from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, of
from yarncore.request.heads import token_shape_of
from yarncore.request.outputs import checked_outputs
from yarncore.request.paged import (
    PagedRequest,
    Term,
    Transfer,
    check_carried,
    check_pool,
    checked_transfers,
    normal,
)
from yarncore.request.request import make_request
from yarncore.request.slots import checked_slots
from yarncore.request.tensors import check_array
from yarncore.turns.record import RotationRecord


def append_request(
    record: RotationRecord,
    q: Array | None,
    k: Array,
    v: Array | None,
    positions: Any,
    *,
    key_cache: Array,
    value_cache: Array | None,
    slots: Any,
    heads_axis: Any,
    out: Array | None,
) -> PagedRequest:
    """Check a call of append_; its transfers are q, if there is one, then k, then v, if there is one.

    Raises
    ------
    TypeError, ValueError
        Which argument, what was given, what is accepted. Nothing has been written then.
    """
    check_array("k", k)
    first = (k, None, ("k", "")) if q is None else (q, k, ("q", "k"))
    query = False if q is None else None
    turned = make_request(record, first[0], first[1], positions, heads_axis=heads_axis, names=first[2], query=query)
    axis = turned.heads_axis
    if q is None and out is not None:
        raise TypeError("out is where q goes; without q there is none")
    target = None if q is None else (checked_outputs([q], out, ("q", "k")) or [None])[0]
    if target is not None:
        of(target).check_writable("out", target)
    check_pool("key_cache", key_cache, "k", k, axis)
    if (v is None) != (value_cache is None):
        given, missing = ("v", "value_cache") if value_cache is None else ("value_cache", "v")
        raise TypeError(f"{given} is given and {missing} is not; both or neither are expected")
    arrays = [(q, target, ("q", "out"), True)] if q is not None else []
    arrays.append((k, key_cache, ("k", "key_cache"), True))
    if v is not None:
        check_carried("v", v, "k", k, axis)
        check_pool("value_cache", value_cache, "v", v, axis)
        check_carried("value_cache", value_cache, "key_cache", key_cache, axis)
        arrays.append((v, value_cache, ("v", "value_cache"), False))
    listed = _flattened(slots, turned.token_shape)
    listed = checked_slots(listed, token_shape_of(key_cache, axis), k, once="written")
    if listed.shape[0] != math.prod(turned.token_shape):
        raise ValueError(
            f"slots names {listed.shape[0]} slots, but k has the tokens {turned.token_shape}; one slot for each is expected"
        )
    transfers = checked_transfers(
        [Transfer(x, y, names, turns, False, names[0] != "q") for x, y, names, turns in arrays]
    )
    return PagedRequest(
        [normal(transfer, axis) for transfer in transfers],
        None if axis is None else -2,
        turned.token_shape,
        [Term(turned.positions, turned.record)],
        target_slots=listed,
        given_heads_axis=axis,
    )


def _flattened(slots: Any, token_shape: tuple[int, ...]) -> Any:
    """Slots in the shape of the tokens, as the list of them that they stand for."""
    array = slots if is_array(slots) else np.asarray(slots)
    return array.reshape((-1,)) if tuple(array.shape) == token_shape else array
