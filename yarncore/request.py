"""A rotation as a backend receives it. Every check of shapes, dtypes and memory stands here, in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from yarncore.arguments import integer
from yarncore.element_types import check_array, check_device, element_type
from yarncore.namespaces import Array, device_of, framework_of, is_array, is_integer_dtype, is_torch, is_traced
from yarncore.overlap import layout_of, overlap, repeats_memory
from yarncore.positions import PlacedPositions, broadcasts_to, place, token_text
from yarncore.turning import Turning

AUTOMATIC_HEADS_AXIS: Any = ...
"""heads_axis not given: -2 where a wrong guess would raise, else an error that shows both readings."""


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
    turning : Turning
    slots : integer array, shape (n,), or None
        Flattened token indices to turn; positions and rows are then those of the slots. In NumPy, as int64 and checked,
        unless it lives where `inputs` do and cannot be read without waiting.
    """

    inputs: list[Array]
    outputs: list[Array] | None
    heads_axis: int | None
    token_shape: tuple[int, ...]
    positions: PlacedPositions
    turning: Turning
    slots: Any = None

    @property
    def in_place(self) -> bool:
        """Whether the results replace the inputs."""
        return self.outputs is not None and all(a is b for a, b in zip(self.inputs, self.outputs, strict=True))


def make_request(
    turning: Turning,
    q: Array,
    k: Array | None,
    positions: Any,
    *,
    heads_axis: Any,
    out: Any = None,
    in_place: bool = False,
    slots: Any = None,
    names: tuple[str, str] = ("q", "k"),
) -> RotationRequest:
    """Check a call and put it into the form the backends receive.

    Raises
    ------
    TypeError, ValueError
        Which argument, what was given, what is accepted. Nothing has been written then.
    """
    inputs = [q] if k is None else [q, k]
    for name, x in zip(names, inputs, strict=False):
        if name == "k":
            _refuse_positions_as_k(x)
        check_array(name, x)
    if k is not None:
        _check_same_home(q, k)
    for name, x in zip(names, inputs, strict=False):
        _check_head_dim(name, x, turning)
    automatic = heads_axis is AUTOMATIC_HEADS_AXIS
    axis = _checked_heads_axis(-2 if automatic else heads_axis, names[0], q)
    token_shape = token_shape_of(q, axis)
    if k is not None and (len(k.shape) != len(q.shape) or token_shape_of(k, axis) != token_shape):
        raise ValueError(
            f"q has shape {tuple(q.shape)} and k {tuple(k.shape)}; with heads_axis={axis} they must agree in all axes "
            "but the heads (and the last)"
        )
    slot_array = None if slots is None else _checked_slots(slots, token_shape, q)
    grid = token_shape if slot_array is None else slot_array.shape
    placed = place(positions, grid, turning.sections, turning.pair_section is not None, token_shape, like=q, axis=axis)
    if placed.array is None and turning.pair_section is not None:
        turning = turning.changed(pair_section=None, sections=1)  # a count is the same for every section
    if automatic and slots is None and placed.array is None:
        _refuse_ambiguous_heads(names[0], q, "None" if positions is None else "an offset")
    for array in (turning.rows, getattr(turning.turns, "factors", None)):
        if array is not None and not isinstance(array, tuple):
            _check_home_of_lengths(array, q)
    if turning.lengths_shape:
        _check_lengths(turning.lengths_shape, grid, axis)
    outputs = inputs if in_place else _checked_outputs(inputs, out, names)
    if outputs is not None:
        for name, x in zip(names if in_place else ("out[0]", "out[1]"), outputs, strict=False):
            _check_writable(name, x)
        _check_memory(inputs, outputs, names)
    return RotationRequest(inputs, outputs, axis, token_shape, placed, turning, slot_array)


def _refuse_positions_as_k(k: Any) -> None:
    dtype = getattr(k, "dtype", None)
    if dtype is not None and element_type(k) is None and "int" in str(dtype):
        raise TypeError(
            f"k is an array of {dtype}; were these the positions? One array is rotated by rotate(q, None, positions)"
        )


def _check_same_home(q: Array, k: Array) -> None:
    q_framework, k_framework = framework_of(q), framework_of(k)
    if q_framework != k_framework:
        raise TypeError(
            f"q is an array of {q_framework} and k of {k_framework}; both of the same framework are expected"
        )
    if device_of(q) != device_of(k):
        raise ValueError(f"q is on {q.device} and k on {k.device}; both on the same device are expected")


def _check_home_of_lengths(array: Array, q: Array) -> None:
    home, visitor = framework_of(q), framework_of(array)
    if visitor not in (home, "numpy"):
        raise TypeError(
            f"length, or what the rotation was made of, is an array of {visitor} and q of {home}; the same framework is "
            "expected, or numbers that can be read"
        )
    check_device("length", array, q)


def _check_head_dim(name: str, x: Array, turning: Turning) -> None:
    if len(x.shape) == 0:
        return  # reported with heads_axis, which says how many dimensions are needed
    last = x.shape[-1]
    expected = turning.head_dim
    if (expected is not None and last != expected) or last < turning.rotary_dim:
        wanted = f"head_dim={expected}" if expected is not None else f"at least rotary_dim={turning.rotary_dim}"
        hint = ""
        if expected is not None and last > expected and last % expected == 0:
            hint = f" (heads flattened? reshape to (..., {last // expected}, {expected}))"
        raise ValueError(f"{name} has shape {tuple(x.shape)}: its last axis is {last}; {wanted} is expected{hint}")


def _checked_heads_axis(heads_axis: Any, name: str, x: Array) -> int | None:
    dimensions = len(x.shape)
    if heads_axis is None:
        if dimensions == 0:
            raise ValueError(f"{name} has 0 dimensions; heads_axis=None needs at least 1")
        return None
    given = integer("heads_axis", heads_axis)
    axis = given - dimensions if given >= 0 else given
    if axis == -1:
        raise ValueError(f"heads_axis={given} is the last axis of {name}, that of the elements; -2, -3 ... is expected")
    if axis < -dimensions or axis >= 0:
        needed = -given if given < 0 else given + 2
        raise ValueError(
            f"{name} has {dimensions} dimension{'' if dimensions == 1 else 's'}; heads_axis={given} needs at least {needed}"
        )
    return axis


def token_shape_of(x: Array, axis: int | None) -> tuple[int, ...]:
    """The extents of all axes but that of the heads and the last."""
    shape = tuple(x.shape[:-1])
    return shape if axis is None else shape[: len(shape) + 1 + axis] + shape[len(shape) + 2 + axis :]


def _refuse_ambiguous_heads(name: str, x: Array, given: str) -> None:
    if len(x.shape) >= 4:
        shape = tuple(x.shape)
        raise ValueError(
            f"heads_axis must be given for {name} of shape {shape} when positions is {given}: heads_axis=-2 reads {shape[-3]} "
            f"tokens of {shape[-2]} heads, heads_axis=-3 reads {shape[-2]} tokens of {shape[-3]} heads"
        )


def _check_lengths(lengths_shape: tuple[int, ...], grid: tuple[int, ...], axis: int | None) -> None:
    if not broadcasts_to(lengths_shape, grid):
        raise ValueError(
            f"length has shape {lengths_shape}, but {token_text(grid, axis)} or one that broadcasts to it is expected"
        )


def _checked_slots(slots: Any, token_shape: tuple[int, ...], like: Array) -> Any:
    if is_array(slots) and is_traced(slots) and framework_of(slots) == framework_of(like):
        check_device("slots", slots, like)
        if not is_integer_dtype(slots):
            raise TypeError(f"slots has dtype {slots.dtype}; integers are expected")
        if len(slots.shape) != 1:
            raise ValueError(f"slots has shape {tuple(slots.shape)}; one axis is expected")
        return slots
    array = slots.detach().cpu().numpy() if is_torch(slots) and not is_traced(slots) else np.asarray(slots)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"slots has dtype {array.dtype}; integers are expected")
    if array.ndim != 1:
        raise ValueError(f"slots has shape {array.shape}; one axis is expected")
    tokens = int(np.prod(token_shape, dtype=object))
    if array.size and (int(array.min()) < -1 or int(array.max()) >= tokens):
        raise ValueError(f"slots has entries outside of -1 ... {tokens - 1}, the flattened token axes {token_shape}")
    used = array[array >= 0]
    seen = np.zeros(tokens if used.size else 0, dtype=bool)
    seen[used] = True
    if np.count_nonzero(seen) != used.size:
        raise ValueError("slots names a token twice: it would be rotated twice")
    return np.ascontiguousarray(array, dtype=np.int64)


def _checked_outputs(inputs: list[Array], out: Any, names: tuple[str, str]) -> list[Array] | None:
    if out is None:
        return None
    outputs = list(out) if isinstance(out, (tuple, list)) else [out]
    if len(outputs) != len(inputs):
        raise ValueError(
            f"out holds {len(outputs)} arrays for {len(inputs)}; one for each of {', '.join(names[: len(inputs)])}"
        )
    for n, (x, y) in enumerate(zip(inputs, outputs, strict=True)):
        check_array(f"out[{n}]", y)
        if framework_of(y) != framework_of(x):
            raise TypeError(f"out[{n}] is an array of {framework_of(y)}, {names[n]} of {framework_of(x)}")
        if tuple(y.shape) != tuple(x.shape) or y.dtype != x.dtype:
            raise ValueError(
                f"out[{n}] has shape {tuple(y.shape)} and dtype {y.dtype}; those of {names[n]}, {tuple(x.shape)} and "
                f"{x.dtype}, are expected"
            )
    return outputs


def _check_writable(name: str, x: Array) -> None:
    framework = framework_of(x)
    if framework in ("jax", "dask", "mlx"):
        raise TypeError(f"{name} is an array of {framework}, which is immutable; use rotate")
    if framework == "numpy":
        if not x.flags.writeable:
            raise ValueError(f"{name} is read-only; a writable array is expected")
        if not x.dtype.isnative:
            raise ValueError(f"{name} has dtype {x.dtype} of foreign byte order; a native one is expected in place")
    elif is_torch(x):
        import torch

        if torch.is_grad_enabled() and x.requires_grad and x.is_leaf:
            raise ValueError(
                f"{name} is a leaf that requires grad: rotating it in place cannot be recorded; use rotate, or rotate_ under "
                "torch.no_grad()"
            )
        if torch.compiler.is_compiling():
            return  # what follows is a matter of memory, of which there is none yet
        if torch.jit.is_tracing():
            raise ValueError(
                f"{name} cannot be written while torch.jit.trace or torch.onnx.export(dynamo=False) records: what is done to "
                "memory is not in its graph; use rotate, without out"
            )
        if x.is_neg():
            raise ValueError(f"{name} has its negative bit set: its memory holds other values; use x.resolve_neg()")
        if x.is_inference() and not torch.is_inference_mode_enabled():
            raise ValueError(f"{name} is an inference tensor; it can be changed in inference mode only")


def _check_memory(inputs: list[Array], outputs: list[Array], names: tuple[str, str]) -> None:
    layouts_in = [layout_of(x) for x in inputs]
    layouts_out = layouts_in if outputs is inputs else [layout_of(y) for y in outputs]
    in_place = outputs is inputs
    for n, layout in enumerate(layouts_out):
        if layout is not None and repeats_memory(layout):
            what = names[n] if in_place else f"out[{n}]"
            raise ValueError(
                f"{what} has overlapping memory (an expanded or sliding view?): it cannot be written in place"
            )
    if len(outputs) == 2 and (
        outputs[0] is outputs[1] or (None not in layouts_out and overlap(layouts_out[0], layouts_out[1]))  # type: ignore[arg-type]
    ):
        if in_place:
            raise ValueError("q and k are the same memory, or overlap: it would be rotated twice")
        raise ValueError("out[0] and out[1] overlap in memory")
    if in_place:
        return
    for n, target in enumerate(layouts_out):
        for m, source in enumerate(layouts_in):
            if target is None or source is None or (n == m and target == source):
                continue
            if overlap(target, source):
                raise ValueError(
                    f"out[{n}] overlaps {names[m]} in memory; {names[m]} itself or other memory is expected"
                )
