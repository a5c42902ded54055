"""A request on arrays of a GPU, as launches of the extension's plan. Who launches them is the backends' matter."""

from typing import Any, Protocol

import numpy as np

from yarncore.backends.generic.rows import positions_of
from yarncore.backends.native.extension import available_extension, native_turns, numbers_of
from yarncore.frameworks.expressions import namespace_of
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_numpy, of
from yarncore.request.positions import PlacedPositions, padded
from yarncore.request.request import RotationRequest
from yarncore.request.tensors import element_type
from yarncore.turns.given import GivenTables
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns

Address = tuple[int, str, tuple[int, ...], tuple[int, ...]]
"""Address, NumPy's name of the dtype, shape, strides in bytes."""


class DeviceMemory(Protocol):
    """How a framework shows the memory of its arrays."""

    def address(self, x: Array) -> Address: ...
    def readable(self, x: Array) -> Array:
        """An array whose memory holds the values of `x`."""
        ...

    def empty_like(self, x: Array) -> Array:
        """A fresh array on the device of `x`, in its order of strides."""
        ...

    def mark_written(self, x: Array) -> None:
        """Tell whoever keeps account of changes that `x` was changed."""
        ...

    def from_host(self, array: np.ndarray[Any, Any], like: Array) -> Array:
        """A host array on the device of `like`; while a graph is captured, capture_error."""
        ...

    def device(self, like: Array) -> Any:
        """What stands for the device of an array: hashable."""
        ...

    def number(self, like: Array) -> int:
        """CUDA's number of the device of an array."""
        ...

    def stream(self, like: Array) -> int:
        """The address of the current stream on the device of an array."""
        ...

    def multiprocessors(self, like: Array) -> int: ...


def type_refusal(x: Array) -> str | None:
    """Why the kernel cannot turn an array of this dtype."""
    name, types = element_type(x), available_extension().kernel_types
    return None if name in types else f"the kernel turns {', '.join(types)}, not {name}"


def request_refusal(request: RotationRequest) -> str | None:
    """Why the kernel cannot carry out a request on a device."""
    return turns_refusal(request.record, request.positions)


def turns_refusal(record: RotationRecord, positions: PlacedPositions) -> str | None:
    """Why the kernel cannot turn by a rotation at some positions."""
    if isinstance(record.turns, TracedTurns):
        return "the scale changes with every length, and the lengths are on the device: steps= would be served"
    if isinstance(record.turns, GivenTables):
        return "it turns by positions, not by tables that are given"
    most = available_extension().max_pairs_by_value
    if record.pair_section is not None and record.turns.pairs > most:
        return f"sections of more than {most} pairs have no kernel"
    array = positions.array
    if array is not None and (not of(array).is_integer(array) or of(array).dtype_name(array) == "uint64"):
        return f"positions of {array.dtype} have no kernel"
    return None


class DeviceArguments:
    """What a call needs on the device of `like` beside its tensors; `kept` must stay alive until it is queued."""

    def __init__(self, like: Array, memory: DeviceMemory) -> None:
        self.like, self.memory = like, memory
        self.kept: list[Array] = []

    def integers(
        self, array: Array | None, dtypes: tuple[str, ...], grid: tuple[int, ...], lead: int = 0
    ) -> Address | None:
        """An array that broadcasts against the grid behind `lead` axes, in one of the dtypes that the kernel reads."""
        if array is None:
            return None
        shape = (*array.shape[:lead], *grid)
        array = _on_device(array, dtypes, self.like, self.memory)
        self.kept.append(array)
        return _stretched(self.memory.address(array), shape, lead)

    def rows(self, record: RotationRecord, grid: tuple[int, ...]) -> Address | None:
        """The row of each token."""
        return self.integers(record.rows, ("int32",), grid)

    def positions(self, request: RotationRequest, grid: tuple[int, ...]) -> tuple[Address | None, int]:
        """The positions of each token, and the offset where they are counted."""
        positions, offset = request.positions.array, request.positions.offset
        if not isinstance(offset, int):  # it lives on the device
            positions, offset = positions_of(namespace_of(self.like), request, grid, self.like), 0
        return self.integers(positions, ("int64", "int32"), grid, len(request.record.position_axes)), offset

    def table(self, record: RotationRecord, *, always: bool = False) -> tuple[int, int]:
        """The addresses of turns and factors; (0, 0) where one row travels by value."""
        assert isinstance(record.turns, TurnsTable)
        if not always and record.rows is None and record.turns.pairs <= available_extension().max_pairs_by_value:
            return 0, 0
        words, factors = _table(record.turns, self.like, self.memory)
        self.kept += [words, factors]
        return self.memory.address(words)[0], self.memory.address(factors)[0]


def launches(request: RotationRequest, results: list[Array], memory: DeviceMemory) -> tuple[list[Any], list[Array]]:
    """The launches that write the results of a request, and what must stay alive until they are queued."""
    record, like = request.record, request.inputs[0]
    assert isinstance(record.turns, TurnsTable)
    grid = request.token_shape if request.slots is None else tuple(request.slots.shape)
    extension, device = available_extension(), DeviceArguments(like, memory)
    positions, offset = device.positions(request, grid)
    call = extension.Call(
        native_turns(record.turns),
        [memory.address(x) for x in request.inputs],
        [memory.address(y) for y in results],
        [element_type(x) for x in request.inputs],
        heads_axis=None if request.heads_axis is None else len(like.shape) + request.heads_axis,
        rotary_start=record.rotary_start,
        interleaved=record.interleaved,
        conjugate=record.conjugate,
        rows=device.rows(record, grid),
        positions=positions,
        offset=offset,
        pair_section=record.pair_section,
        slots=device.integers(request.slots, ("int64",), grid),
        query_scale=numbers_of(record),
        both_queries=request.both_queries,
    )
    words, factors = device.table(record)
    multiprocessors = memory.multiprocessors(like)
    plan = extension.plan_on_device(call, table=words, factors=factors, multiprocessors=multiprocessors)
    return plan, device.kept


def _on_device(array: Array, dtypes: tuple[str, ...], like: Array, memory: DeviceMemory) -> Array:
    """An array of integers in a dtype the kernel reads, where `like` lives; repeated entries once."""
    once = tuple(slice(0, 1) if stride == 0 and n > 1 else slice(None) for stride, n in _strides_of(array))
    array = array[once]
    name = of(array).dtype_name(array)
    if is_numpy(array):
        return memory.from_host(np.ascontiguousarray(array, dtype=name if name in dtypes else dtypes[0]), like)
    if name in dtypes:
        return array
    xp = namespace_of(array)
    return xp.astype(array, getattr(xp, dtypes[0]))


def _strides_of(array: Array) -> list[tuple[int, int]]:
    strides = array.stride() if callable(getattr(array, "stride", None)) else array.strides
    return list(zip(strides, array.shape, strict=True))


def _stretched(address: Address, shape: tuple[int, ...], lead: int) -> Address:
    """The address of an array as if broadcast to a shape: strides of 0 along what repeats."""
    start, dtype, extents, strides = address
    tokens = len(shape) - lead
    extents, strides = (
        padded(extents, lead, tokens),
        (*strides[:lead], *(0,) * (len(shape) - len(strides)), *strides[lead:]),
    )
    stretched = tuple(0 if n == 1 and m != 1 else s for n, m, s in zip(extents, shape, strides, strict=True))
    return start, dtype, shape, stretched


def _table(table: TurnsTable, like: Array, memory: DeviceMemory) -> tuple[Array, Array]:
    """The rows of turns and their factors on the device, copied there once."""
    device = memory.device(like)
    if device not in table.copies.kernel:
        words = memory.from_host(table.words.view(np.int32).copy(), like)
        table.copies.kernel[device] = words, memory.from_host(table.factors_float64.copy(), like)
    return table.copies.kernel[device]  # type: ignore[no-any-return]
