"""A rotation as a backend receives it. Every check of shapes, dtypes and memory stands here, in words."""

from dataclasses import dataclass
from typing import Any

from yarncore._arguments import boolean
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, of
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS, checked_heads_axis, refuse_ambiguous_heads, token_shape_of
from yarncore.request.outputs import check_memory, checked_outputs
from yarncore.request.positions import PlacedPositions, broadcasts_to, padded, place, token_text
from yarncore.request.prepared import PreparedPositions
from yarncore.request.slots import checked_slots
from yarncore.request.tensors import check_array, check_device
from yarncore.turns.given import GivenTables
from yarncore.turns.record import RotationRecord


@dataclass(slots=True)
class RotationRequest:
    """One call, checked. After this nothing can fail for a reason the caller caused.

    Attributes
    ----------
    inputs : list of arrays
        q, or q and k.
    outputs : list of arrays, or None
        Where the results go; None: fresh arrays. The inputs themselves when in place.
    heads_axis : int or None
        Negative, counted from the end.
    token_shape : tuple of int
    positions : PlacedPositions
    record : RotationRecord
    slots : integer array, shape (n,), or None
        Flattened token indices to turn; positions and rows are then those of the slots. In NumPy, as int64 and checked,
        unless it lives where `inputs` do and cannot be read without waiting.
    prepared : PreparedPositions or None
        The same positions, and what was made of them by earlier calls. A backend may do without.
    both_queries : bool
        Of a record with a query scale: the second array is of queries too. The first one always is.
    """

    inputs: list[Array]
    outputs: list[Array] | None
    heads_axis: int | None
    token_shape: tuple[int, ...]
    positions: PlacedPositions
    record: RotationRecord
    slots: Any = None
    prepared: PreparedPositions | None = None
    both_queries: bool = False

    def record_of(self, number: int) -> RotationRecord:
        """What turns an input: that of keys has no query scale."""
        return self.record if number == 0 or self.both_queries else self.record.for_keys

    @property
    def in_place(self) -> bool:
        """Whether the results replace the inputs."""
        return self.outputs is not None and all(a is b for a, b in zip(self.inputs, self.outputs, strict=True))

    @classmethod
    def of_part(
        cls, x: Array, positions: Array | None, record: RotationRecord, heads_axis: int | None, offset: Any = 0
    ) -> "RotationRequest":
        """A request for one array that is, or belongs to, a part of what was checked; positions broadcast to its tokens."""
        shape, lead = token_shape_of(x, heads_axis), record.position_axes
        if positions is not None:
            positions = positions.reshape(padded(positions.shape, len(lead), len(shape)))
            positions = of(positions).broadcast(positions, (*lead, *shape))
        return cls([x], None, heads_axis, shape, PlacedPositions(positions, offset), record)


def make_request(
    record: RotationRecord,
    q: Array,
    k: Array | None,
    positions: Any,
    *,
    heads_axis: Any,
    out: Any = None,
    in_place: bool = False,
    slots: Any = None,
    names: tuple[str, str] = ("q", "k"),
    query: Any = None,
) -> RotationRequest:
    """Check a call and put it into the form the backends receive.

    Raises
    ------
    TypeError, ValueError
        Which argument, what was given, what is accepted. Nothing has been written then.
    """
    inputs = [q] if k is None else [q, k]
    if not _are_queries(record, query, len(inputs)):
        record = record.for_keys
    for name, x in zip(names, inputs, strict=False):
        if name == "k":
            _refuse_positions_as_k(x)
        check_array(name, x)
    if k is not None:
        _check_same_home(q, k)
    for name, x in zip(names, inputs, strict=False):
        check_head_dim(name, x, record)
    automatic = heads_axis is AUTOMATIC_HEADS_AXIS
    axis = checked_heads_axis(-2 if automatic else heads_axis, names[0], q)
    token_shape = token_shape_of(q, axis)
    if k is not None and (len(k.shape) != len(q.shape) or token_shape_of(k, axis) != token_shape):
        raise ValueError(
            f"q has shape {tuple(q.shape)} and k {tuple(k.shape)}; with heads_axis={axis} they must agree in all axes "
            "but the heads (and the last)"
        )
    slot_array = None if slots is None else checked_slots(slots, token_shape, q)
    grid = token_shape if slot_array is None else slot_array.shape
    placed = place(positions, grid, token_shape, record.position_axes, like=q, axis=axis)
    if placed.array is None and record.pair_section is not None:
        record = record.changed(pair_section=None, sections=1)  # a count is the same for every section
    if automatic and slots is None and placed.array is None and not isinstance(record.turns, GivenTables):
        refuse_ambiguous_heads(names[0], q, "None" if positions is None else "an offset")
    check_lengths(record, q, grid, axis)
    outputs = inputs if in_place else checked_outputs(inputs, out, names)
    if outputs is not None:
        for name, x in zip(names if in_place else ("out[0]", "out[1]"), outputs, strict=False):
            of(x).check_writable(name, x)
        check_memory(inputs, outputs, names)
    return RotationRequest(inputs, outputs, axis, token_shape, placed, record, slot_array, both_queries=query is True)


def _are_queries(record: RotationRecord, query: Any, count: int) -> bool:
    """Whether a query scale is to be applied to anything."""
    if query is not None:
        return boolean("query", query)
    if record.query_scale is not None and count == 1:
        raise TypeError(
            "query is required: queries are multiplied by their position here and keys are not, and which one array is cannot "
            "be seen; query=True or query=False is expected"
        )
    return True


def _refuse_positions_as_k(k: Any) -> None:
    if is_array(k) and of(k).is_integer(k):
        raise TypeError(
            f"k is an array of {k.dtype}; were these the positions? One array is rotated by rotate(q, None, positions)"
        )


def _check_same_home(q: Array, k: Array) -> None:
    q_framework, k_framework = of(q).name, of(k).name
    if q_framework != k_framework:
        raise TypeError(
            f"q is an array of {q_framework} and k of {k_framework}; both of the same framework are expected"
        )
    if of(q).device(q) != of(k).device(k):
        raise ValueError(f"q is on {q.device} and k on {k.device}; both on the same device are expected")


def _check_home(name: str, array: Array, q: Array) -> None:
    home, visitor = of(q).name, of(array).name
    if visitor not in (home, "numpy"):
        what = "length, or what the rotation was made of," if name == "length" else name
        raise TypeError(
            f"{what} is an array of {visitor} and q of {home}; the same framework is expected, or numbers that can be read"
        )
    check_device(name, array, q)


def check_head_dim(name: str, x: Array, record: RotationRecord) -> None:
    """Raise ValueError where the heads of an array are not of the size that a rotation turns."""
    if len(x.shape) == 0:
        return  # reported with heads_axis, which says how many dimensions are needed
    last = x.shape[-1]
    expected = record.head_dim
    if (expected is not None and last != expected) or last < record.rotary_end:
        start = "rotary_start + " if record.rotary_start else ""
        wanted = f"head_dim={expected}" if expected is not None else f"at least {start}rotary_dim={record.rotary_end}"
        hint = ""
        if expected is not None and last > expected and last % expected == 0:
            hint = f" (heads flattened? reshape to (..., {last // expected}, {expected}))"
        raise ValueError(f"{name} has shape {tuple(x.shape)}: its last axis is {last}; {wanted} is expected{hint}")


def check_lengths(record: RotationRecord, q: Array, grid: tuple[int, ...], axis: int | None) -> None:
    """Raise TypeError or ValueError where the lengths of a rotation, or given tables, do not go with `q` and its tokens."""
    for name, array in record.arrays.items():
        _check_home(name, array, q)
    for name, shape in record.shapes.items():
        if broadcasts_to(shape, grid):
            continue
        tables = ", before the axis of its numbers," if name != "length" else ""
        raise ValueError(
            f"{name} has shape {shape}{tables} but {token_text(grid, axis)} or one that broadcasts to it is expected"
        )
