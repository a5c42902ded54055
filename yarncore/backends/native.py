"""The compiled rotation for NumPy arrays and torch CPU tensors."""

import warnings
from typing import Any

import numpy as np

from yarncore.backends.backend import is_recorded
from yarncore.errors import BackendUnavailable
from yarncore.namespaces import Array, framework_of, is_numpy, is_torch
from yarncore.request.request import RotationRequest
from yarncore.request.tensors import element_type
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns

try:
    import yarncore._core as _core
except ImportError as error:
    _core = None  # type: ignore[assignment]
    _missing = f"the extension yarncore._core cannot be loaded ({error}); run `pip install .`, or `-e .` to work in the sources"
    warnings.warn(
        f"{_missing}. NumPy and torch CPU arrays are rotated by slow array operations", RuntimeWarning, stacklevel=2
    )


def available_extension() -> Any:
    """The extension module; None where it cannot be loaded."""
    return _core


def extension() -> Any:
    """The extension module.

    Raises
    ------
    BackendUnavailable
        Where it cannot be loaded.
    """
    if _core is None:
        raise BackendUnavailable(_missing)
    return _core


class NativeBackend:
    """yarncore._core on the memory of NumPy arrays and plain torch CPU tensors."""

    name = "native"
    does = "the extension reads and writes the memory of"

    def refusal(self, x: Array) -> str | None:
        if _core is None:
            return _missing
        if is_torch(x):
            from yarncore.backends.torch import takes_operator, why_not_plain

            reason = None if takes_operator(x) else why_not_plain(x)
            if reason is not None:
                return reason
        elif not is_numpy(x):
            return f"it works on NumPy arrays and torch CPU tensors, not on {framework_of(x)}"
        if len(x.shape) > _core.max_axes:
            return f"it takes at most {_core.max_axes} axes"
        return None

    def request_refusal(self, request: RotationRequest) -> str | None:
        if isinstance(request.record.turns, TracedTurns):
            return "the frequencies are traced or on a device"
        if _takes_operator(request):
            return None if request.slots is None else "the call is traced"
        rows = request.record.rows
        if rows is not None and not is_numpy(rows):
            return "the lengths are traced or on a device"
        if not isinstance(request.positions.offset, int):
            return "the offset of the positions is traced"
        if request.slots is not None and not is_numpy(request.slots):
            return "the slots are traced or on a device"
        if request.slots is not None and is_recorded(request):
            return "gradients and transforms do not see what is done to slots"
        return None

    def rotate(self, request: RotationRequest) -> list[Array]:
        if _takes_operator(request):
            from yarncore.backends.torch_operator import rotate_by_operator

            return rotate_by_operator(request)
        if is_recorded(request):
            from yarncore.backends.torch_autograd import rotate_recorded

            return rotate_recorded(request, self.rotate_plain)
        return self.rotate_plain(request)

    def rotate_plain(self, request: RotationRequest) -> list[Array]:
        """The same for memory that nobody watches."""
        record = request.record
        assert isinstance(record.turns, TurnsTable)
        results = request.outputs if request.outputs is not None else [_fresh_like(x) for x in request.inputs]
        grid = request.token_shape if request.slots is None else request.slots.shape
        positions = request.positions.array
        # NumPy views of the same memory, made before the call: they keep it alive while the GIL is released.
        sources = [_memory(x) for x in request.inputs]
        targets = sources if request.in_place else [_memory(y) for y in results]
        _core.rotate(
            native_turns(record.turns),
            sources,
            targets,
            [_type_name(x) for x in request.inputs],
            heads_axis=None if request.heads_axis is None else len(request.inputs[0].shape) + request.heads_axis,
            interleaved=record.interleaved,
            conjugate=record.conjugate,
            rows=None if record.rows is None else np.broadcast_to(record.rows, grid),
            positions=None if positions is None else (positions if is_numpy(positions) else _positions(positions)),
            offset=request.positions.offset,
            pair_section=record.pair_section,
            slots=request.slots,
        )
        if request.outputs is not None and is_torch(results[0]):
            from yarncore.backends.torch import bump_version

            for y in results:
                bump_version(y)
        return results


def _takes_operator(request: RotationRequest) -> bool:
    if not is_torch(request.inputs[0]):
        return False
    from yarncore.backends.torch import takes_operator

    return takes_operator(request.inputs[0])


def native_turns(table: TurnsTable) -> Any:
    """The extension's copy of a table, made once; None where there is no extension."""
    if table.native is None and _core is not None:
        object.__setattr__(table, "native", _core.Turns(table.words, table.factors_float64))
    return table.native


def _fresh_like(x: Array) -> Array:
    if is_torch(x):
        from yarncore.backends.torch import register_once

        if not register_once():
            import torch

            return torch.empty_like(x)
    return _core.fresh_like(x)


def _type_name(x: Array) -> str:
    name = element_type(x)
    assert name is not None
    return name


def _memory(x: Array) -> np.ndarray[Any, Any]:
    """The array itself as NumPy, 16-bit elements as uint16, bytes in native order."""
    if is_torch(x):
        from yarncore.backends.torch import as_numpy

        return as_numpy(x)  # type: ignore[no-any-return]
    array = x.view(np.ndarray)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array.view(np.uint16) if array.itemsize == 2 else array  # type: ignore[no-any-return]


def _positions(positions: Any) -> np.ndarray[Any, Any]:
    return positions.detach().numpy()  # type: ignore[no-any-return]
