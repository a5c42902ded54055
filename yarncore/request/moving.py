"""move_, checked: keys out of the slots of a pool, turned, into slots of the same or another; values beside them."""

from typing import Any

import numpy as np

from yarncore.frameworks.expressions import device_argument, namespace_of
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_numpy, of
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS, checked_heads_axis, token_shape_of
from yarncore.request.paged import (
    PagedRequest,
    Term,
    Transfer,
    check_carried,
    check_pool,
    checked_transfers,
    normal,
)
from yarncore.request.positions import broadcasts_to, place
from yarncore.request.request import check_head_dim, check_lengths
from yarncore.request.slots import checked_slots
from yarncore.request.tensors import check_array
from yarncore.turns.record import RotationRecord


def move_request(
    terms: list[tuple[str, Any, RotationRecord]],
    keys: Array,
    source: Any,
    target: Any,
    *,
    into: Array | None,
    values: Array | None,
    values_into: Array | None,
    heads_axis: Any,
) -> PagedRequest:
    """Check a call of move_; each term is what its positions are called, the positions and the rotation.

    Raises
    ------
    TypeError, ValueError
        Which argument, what was given, what is accepted. Nothing has been written then.
    """
    check_array("keys", keys)
    check_head_dim("keys", keys, terms[0][2])
    axis = checked_heads_axis(-2 if heads_axis is AUTOMATIC_HEADS_AXIS else heads_axis, "keys", keys)
    transfers = _transfers(keys, into, values, values_into, axis)
    into = transfers[0].target
    source = checked_slots(source, token_shape_of(keys, axis), keys, "source", once=None)
    target = checked_slots(target, token_shape_of(into, axis), keys, "target", once="written")
    if source.shape[0] != target.shape[0]:
        raise ValueError(
            f"source names {source.shape[0]} slots and target {target.shape[0]}; one target for each source is expected"
        )
    one_pool = any(of(t.source).layout(t.source) == of(t.target).layout(t.target) for t in transfers)
    transfers = [normal(transfer, axis) for transfer in transfers]
    grid, heads = (source.shape[0],), None if axis is None else keys.shape[axis]
    width = max(_axes_of_tokens(given, record) for _, given, record in terms)
    if width == 2 and heads is not None:
        return _of_each_head(terms, transfers, grid[0], heads, source, target, one_pool)
    placed = [_term(name, given, record, grid, keys) for name, given, record in terms]
    return PagedRequest(transfers, None if axis is None else -2, grid, placed, source, target, one_pool)


def _transfers(
    keys: Array, into: Array | None, values: Array | None, values_into: Array | None, axis: int | None
) -> list[Transfer]:
    """The ways of keys and values, from pool to pool."""
    if (values_into is not None) and (values is None or into is None):
        missing = "values" if values is None else "into"
        raise TypeError(
            f"values_into is given and {missing} is not; it is where values go when keys go into another pool"
        )
    if values is not None and into is not None and values_into is None:
        raise TypeError("values_into is not given: keys go into another pool, and values need one beside it")
    names = ("keys", "keys" if into is None else "into")
    into = keys if into is None else into
    check_pool(names[1], into, "keys", keys, axis)
    transfers = [Transfer(keys, into, names, True, True, True)]
    if values is not None:
        check_carried("values", values, "keys", keys, axis)
        names = ("values", "values" if values_into is None else "values_into")
        values_into = values if values_into is None else values_into
        check_pool(names[1], values_into, "values", values, axis)
        check_carried(names[1], values_into, "keys" if into is keys else "into", into, axis)
        transfers.append(Transfer(values, values_into, names, False, True, True))
    return checked_transfers(transfers)


def _axes_of_tokens(given: Any, record: RotationRecord) -> int:
    return max(len(given.shape) - len(record.position_axes), 0)


def _term(name: str, given: Any, record: RotationRecord, grid: tuple[int, ...], keys: Array) -> Term:
    """Numbers of tokens, placed on the grid."""
    wanted = (*record.position_axes, *grid)
    if len(given.shape) <= len(record.position_axes) or not broadcasts_to(given.shape, wanted):
        raise ValueError(
            f"{name} has shape {tuple(given.shape)}; {wanted}, with a number for each token, or a shape that broadcasts to it is "
            "expected"
        )
    check_lengths(record, keys, grid, None)
    return Term(place(given, grid, grid, record.position_axes, like=keys, axis=None), record)


def _of_each_head(
    terms: list[tuple[str, Any, RotationRecord]],
    transfers: list[Transfer],
    tokens: int,
    heads: int,
    source: Any,
    target: Any,
    one_pool: bool,
) -> PagedRequest:
    """Heads that turn by numbers of their own are tokens of their own: token * heads + head.

    Head by head, where all tokens of a head turn alike: then one row of cos and sin serves them.
    """
    for transfer in transfers:
        for x, name in zip(transfer.arrays, transfer.names, strict=True):
            if x.shape[-2] != heads:
                raise ValueError(
                    f"{name} has shape {tuple(x.shape)}; where each head moves by a number of its own, as many heads as keys "
                    f"has, {heads}, are expected"
                )
    by_head = all(given.shape[len(record.position_axes)] == 1 for _, given, record in terms if given.ndim > 1)
    by_head = by_head and all(record.lengths_shape in ((), (1,)) for _, _, record in terms)
    grid = (heads, tokens) if by_head else (tokens, heads)
    placed = []
    for name, given, record in terms:
        lead = len(record.position_axes)
        if _axes_of_tokens(given, record) == 1:
            given = given.reshape((*given.shape, 1))
        given = namespace_of(given).moveaxis(given, lead, lead + 1) if by_head else given
        if record.lengths_shape and not by_head:
            check_lengths(record, transfers[0].source, (tokens,), None)
            shape = (*record.lengths_shape, 1)
            record = record.changed(
                rows=None if record.rows is None else record.rows.reshape(shape), lengths_shape=shape
            )
        placed.append(_term(name, given, record, grid, transfers[0].source))
    slots = [_slots_of_heads(listed, heads, by_head) for listed in (source, target)]
    return PagedRequest(transfers, None, grid, placed, slots[0], slots[1], one_pool)


def _slots_of_heads(slots: Any, heads: int, by_head: bool) -> Any:
    """The slots of every head, where heads are the last axis of the tokens; -1 stays -1."""
    if is_numpy(slots):
        each = np.where(slots[:, None] < 0, -1, slots[:, None] * heads + np.arange(heads))
        return np.ascontiguousarray((each.T if by_head else each).reshape(-1))
    xp = namespace_of(slots)
    head = xp.arange(heads, dtype=slots.dtype, **device_argument(xp, slots))
    each = xp.where(slots[:, None] < 0, -1, slots[:, None] * heads + head)
    return xp.reshape(each.T if by_head else each, (-1,))
