"""append_ and move_ in one pass: what the extension takes, and how it is told."""

from typing import Any

import numpy as np

from yarncore.backends.native.extension import available_extension, native_turns, numbers_of, type_or_shape_refusal
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_numpy, of
from yarncore.request.paged import PagedRequest, Term, Transfer
from yarncore.request.tensors import element_type
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns

_core = available_extension()
_CARRIED_SIZES = (1, 2, 4, 8, 16)


def transfer_refusal(transfer: Transfer) -> str | None:
    """Why the extension cannot take the tokens of an array to another one."""
    for x in transfer.arrays:
        if of(x).is_recorded(x):
            return "gradients and transforms do not see what is done to slots"
        if transfer.turns:
            reason = type_or_shape_refusal(x)
        elif len(x.shape) > _core.max_axes:
            reason = f"it takes at most {_core.max_axes} axes"
        else:
            reason = None if carried_size(x) in _CARRIED_SIZES else f"it copies no elements of {x.dtype}"
        if reason is not None:
            return reason
    return None


def carried_size(x: Array) -> int:
    """The bytes of an element whose bits can be copied; 0 where they cannot."""
    if is_numpy(x):
        return 0 if x.dtype.hasobject else int(x.dtype.itemsize)
    return 0 if x.is_conj() or x.is_neg() else int(x.element_size())


def terms_refusal(request: PagedRequest) -> str | None:
    """Why the extension cannot turn by the rotations of a request."""
    for term in request.terms:
        if isinstance(term.record.turns, TracedTurns):
            return "the frequencies are traced or on a device"
        if term.record.rows is not None and not is_numpy(term.record.rows):
            return "the lengths are traced or on a device"
        if not isinstance(term.positions.offset, int):
            return "the offset of the positions is traced"
    for slots in (request.source_slots, request.target_slots):
        if slots is not None and not is_numpy(slots):
            return "the slots are traced or on a device"
    return None


def as_bits(x: Array) -> np.ndarray[Any, Any]:
    """The memory of an array whose bits are copied, as NumPy's."""
    if is_numpy(x):
        return x.view(np.ndarray).view(f"V{x.dtype.itemsize}")  # type: ignore[no-any-return]
    from yarncore.backends.native.torch_tensors import bits_as_numpy

    return bits_as_numpy(x)  # type: ignore[no-any-return]


def move_on_host(request: PagedRequest, targets: list[Array], memory: Any) -> None:
    """Carry out a request in one pass. `memory`: an array that turns as NumPy's."""
    transfers = [
        (
            memory(transfer.source) if transfer.turns else as_bits(transfer.source),
            memory(target) if transfer.turns else as_bits(target),
            element_type(transfer.source) if transfer.turns else "",
            transfer.from_slots,
            transfer.to_slots,
        )
        for transfer, target in zip(request.transfers, targets, strict=True)
    ]
    call = None
    for term in reversed(request.terms):
        call = _call(request, transfers, term, call)
    _core.move(call)


def _call(request: PagedRequest, transfers: list[Any], term: Term, other: Any) -> Any:
    record, positions = term.record, term.positions
    assert isinstance(record.turns, TurnsTable)
    return _core.PagedCall(
        native_turns(record.turns),
        transfers,
        grid=request.grid,
        has_heads=request.heads_axis is not None,
        rotary_start=record.rotary_start,
        interleaved=record.interleaved,
        conjugate=record.conjugate,
        rows=None if record.rows is None else np.broadcast_to(record.rows, request.grid),
        positions=None if positions.array is None else of(positions.array).on_host(positions.array),
        offset=positions.offset,
        pair_section=record.pair_section,
        source_slots=request.source_slots,
        target_slots=request.target_slots,
        other=other,
        query_scale=numbers_of(record),
    )
