"""append_ and move_ on arrays of a GPU, as launches of the extension's plan."""

from typing import Any

from yarncore.backends.gpu.launches import DeviceArguments, DeviceMemory, turns_refusal
from yarncore.backends.native.extension import available_extension, native_turns, numbers_of
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import of
from yarncore.request.paged import PagedRequest, Term
from yarncore.request.request import RotationRequest
from yarncore.request.tensors import element_type
from yarncore.turns.table import TurnsTable


def paged_refusal(request: PagedRequest) -> str | None:
    """Why the kernel cannot carry out a request on a device."""
    for term in request.terms:
        reason = turns_refusal(term.record, term.positions)
        if reason is not None:
            return reason
    if any(of(x).is_recorded(x) for x in request.arrays):
        return "gradients and transforms do not see what is done to slots"
    width = max(_itemsize(t.source) for t in request.transfers if t.turns)
    for transfer in request.transfers:
        head = transfer.source.shape[-1] * _itemsize(transfer.source)
        if not transfer.turns and (head % width or not all(_is_contiguous(x) for x in transfer.arrays)):
            return f"values of heads of {head} bytes, or with elements apart, have no kernel"
    return None


def _itemsize(x: Array) -> int:
    return int(x.dtype.itemsize)


def _is_contiguous(x: Array) -> bool:
    """Whether the elements of a head lie one beside the other."""
    layout = of(x).layout(x)
    return layout is not None and layout.strides[-1] == layout.itemsize


def paged_launches(request: PagedRequest, targets: list[Array], memory: DeviceMemory) -> tuple[list[Any], list[Array]]:
    """The launches that write the targets of a request, and what must stay alive until they are queued."""
    like = request.transfers[0].source
    device = DeviceArguments(like, memory)
    transfers = [
        (
            memory.address(transfer.source),
            memory.address(target),
            element_type(transfer.source) if transfer.turns else "",
            transfer.from_slots,
            transfer.to_slots,
        )
        for transfer, target in zip(request.transfers, targets, strict=True)
    ]
    slots = [
        device.integers(listed, ("int64",), (request.tokens,))
        for listed in (request.source_slots, request.target_slots)
    ]
    first, *others = request.terms
    table = device.table(first.record)
    call, other = None, (0, 0)
    for term in others:
        call, other = _call(request, transfers, slots, term, None, device), device.table(term.record, always=True)
    call = _call(request, transfers, slots, first, call, device)
    plan = available_extension().plan_move_on_device(
        call, table=table, other=other, multiprocessors=memory.multiprocessors(like)
    )
    return plan, device.kept


def _call(
    request: PagedRequest, transfers: list[Any], slots: list[Any], term: Term, other: Any, device: DeviceArguments
) -> Any:
    record = term.record
    assert isinstance(record.turns, TurnsTable)
    rotation = RotationRequest([device.like], None, request.heads_axis, request.grid, term.positions, record)
    positions, offset = device.positions(rotation, request.grid)
    return available_extension().PagedCall(
        native_turns(record.turns),
        transfers,
        grid=request.grid,
        has_heads=request.heads_axis is not None,
        rotary_start=record.rotary_start,
        interleaved=record.interleaved,
        conjugate=record.conjugate,
        rows=device.rows(record, request.grid),
        positions=positions,
        offset=offset,
        pair_section=record.pair_section,
        source_slots=slots[0],
        target_slots=slots[1],
        other=other,
        query_scale=numbers_of(record),
    )
