"""The compiled rotation for NumPy arrays and plain torch CPU tensors."""

from typing import Any

import numpy as np

from yarncore.backends.backend import Backend
from yarncore.backends.native.extension import MISSING, available_extension, native_turns, type_or_shape_refusal
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_numpy, of
from yarncore.request.request import RotationRequest
from yarncore.request.tensors import element_type
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
        if isinstance(request.record.turns, TracedTurns):
            return "the frequencies are traced or on a device"
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
        assert isinstance(record.turns, TurnsTable)
        results = request.outputs if request.outputs is not None else [_fresh_like(x) for x in request.inputs]
        grid = request.token_shape if request.slots is None else request.slots.shape
        positions = request.positions.array
        # NumPy views of the same memory, made before the call: they keep it alive while the GIL is released.
        sources = [_memory(x) for x in request.inputs]
        targets = sources if request.in_place else [_memory(y) for y in results]
        call = _core.Call(
            native_turns(record.turns),
            sources,
            targets,
            [element_type(x) for x in request.inputs],
            heads_axis=None if request.heads_axis is None else len(request.inputs[0].shape) + request.heads_axis,
            rotary_start=record.rotary_start,
            interleaved=record.interleaved,
            conjugate=record.conjugate,
            rows=None if record.rows is None else np.broadcast_to(record.rows, grid),
            positions=None if positions is None else of(positions).on_host(positions),
            offset=request.positions.offset,
            pair_section=record.pair_section,
            slots=request.slots,
        )
        _core.rotate(call)
        if request.outputs is not None and not is_numpy(results[0]):
            from yarncore.frameworks.torch import bump_version

            for y in results:
                bump_version(y)
        return results


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
