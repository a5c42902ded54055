"""The compiled rotation for NumPy arrays and plain torch CPU tensors."""

from typing import Any

import numpy as np

from yarncore.backends.backend import Backend
from yarncore.backends.native.extension import (
    MISSING,
    available_extension,
    native_turns,
    numbers_of,
    type_or_shape_refusal,
)
from yarncore.backends.native.paged import move_on_host, terms_refusal, transfer_refusal
from yarncore.backends.native.prepared_rows import rows_of_prepared
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_numpy, of
from yarncore.request.paged import PagedRequest
from yarncore.request.request import RotationRequest
from yarncore.request.tensors import element_type
from yarncore.turns.given import GivenTables
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns

_core = available_extension()


class NativeBackend(Backend):
    """yarncore._core on the memory of NumPy arrays and plain torch CPU tensors."""

    name = "native"
    does = "the extension reads and writes the memory of"
    frameworks = ("numpy", "torch")
    past_framework = True

    def refusal(self, x: Array) -> str | None:
        if MISSING is not None:
            return MISSING
        return _why_not_plain(x) or type_or_shape_refusal(x)

    def request_refusal(self, request: RotationRequest) -> str | None:
        turns = request.record.turns
        if isinstance(turns, TracedTurns):
            return "the frequencies are traced or on a device"
        if isinstance(turns, GivenTables):
            virtual = any(not is_numpy(table) and of(table).is_virtual(table) for table in (turns.cos, turns.sin))
            return "the tables are traced or on a device" if virtual else None
        for what, value in (("lengths", request.record.rows), ("slots", request.slots)):
            if value is not None and not is_numpy(value):
                return f"the {what} are traced or on a device"
        return None if isinstance(request.positions.offset, int) else "the offset of the positions is traced"

    def faster(self, x: Array) -> str | None:
        if MISSING is not None:
            return None if of(x).device(x) not in (None, "cpu") else "install yarncore with its extension"
        if of(x).name != "torch":
            return None
        from yarncore.frameworks.torch import is_dtensor, is_plain_type

        return None if is_plain_type(x) or is_dtensor(x) else "a plain torch.Tensor, which the extension rotates"

    def rotate(self, request: RotationRequest) -> list[Array]:
        record = request.record
        results = request.outputs if request.outputs is not None else [_fresh_like(x) for x in request.inputs]
        grid = request.token_shape if request.slots is None else request.slots.shape
        positions = request.positions.array
        # NumPy views of the same memory, made before the call: they keep it alive while the GIL is released.
        sources = [_memory(x) for x in request.inputs]
        targets = sources if request.in_place else [_memory(y) for y in results]
        made = rows_of_prepared(request.prepared, record, request.inputs)
        call = _core.Call(
            made[0] if made else _turns(record),
            sources,
            targets,
            [element_type(x) for x in request.inputs],
            heads_axis=None if request.heads_axis is None else len(request.inputs[0].shape) + request.heads_axis,
            rotary_start=record.rotary_start,
            interleaved=record.interleaved,
            conjugate=record.conjugate,
            rows=_rows(made[1] if made else record.rows, grid),
            positions=None if positions is None or made else of(positions).on_host(positions),
            offset=request.positions.offset,
            pair_section=None if made else record.pair_section,
            slots=request.slots,
            query_scale=numbers_of(record),
            both_queries=request.both_queries,
            **_tables(record),
        )
        _core.rotate(call)
        if request.outputs is not None and not is_numpy(results[0]):
            from yarncore.frameworks.torch import bump_version

            for y in results:
                bump_version(y)
        return results

    def paged_refusal(self, request: PagedRequest) -> str | None:
        if MISSING is not None:
            return MISSING
        for transfer in request.transfers:
            for x in transfer.arrays:
                reason = _why_not_plain(x)
                if reason is not None:
                    return reason
            reason = transfer_refusal(transfer)
            if reason is not None:
                return reason
        return terms_refusal(request)

    def move(self, request: PagedRequest) -> list[Array]:
        if request.reads_what_it_writes():
            request = request.read_before()
        targets = [_fresh_like(t.source) if t.target is None else t.target for t in request.transfers]
        move_on_host(request, targets, _memory)
        if not is_numpy(targets[0]):
            from yarncore.frameworks.torch import bump_version

            for y in targets:
                bump_version(y)
        return targets


def _turns(record: RotationRecord) -> Any:
    return native_turns(record.turns) if isinstance(record.turns, TurnsTable) else None


def _rows(rows: Array | None, grid: tuple[int, ...]) -> Array | None:
    return None if rows is None else np.broadcast_to(rows, grid)


def _tables(record: RotationRecord) -> dict[str, Any]:
    turns = record.turns
    if not isinstance(turns, GivenTables):
        return {}
    both = (turns.cos, turns.sin)
    return {"tables": tuple(map(_memory, both)), "table_types": [element_type(table) for table in both]}


def _why_not_plain(x: Array) -> str | None:
    if is_numpy(x):
        return None
    from yarncore.frameworks.torch import why_not_plain

    return why_not_plain(x)


def _fresh_like(x: Array) -> Array:
    if is_numpy(x):
        return _core.fresh_like(x)
    from yarncore.backends.native.torch_tensors import fresh_like

    return fresh_like(x)


def _memory(x: Array) -> np.ndarray[Any, Any]:
    """The array itself as NumPy, 16-bit elements as uint16, bytes in native order."""
    if not is_numpy(x):
        from yarncore.backends.native.torch_tensors import as_numpy

        return as_numpy(x)  # type: ignore[no-any-return]
    array = x.view(np.ndarray)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array.view(np.uint16) if array.itemsize == 2 else array  # type: ignore[no-any-return]
