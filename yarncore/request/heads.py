"""Which axis is that of the heads."""

from typing import Any

from yarncore._arguments import integer
from yarncore.frameworks.framework import Array

AUTOMATIC_HEADS_AXIS: Any = ...
"""heads_axis not given: -2 where a wrong guess would raise, else an error that shows both readings."""


def checked_heads_axis(heads_axis: Any, name: str, x: Array) -> int | None:
    """The axis of heads counted from the end, or None; TypeError or ValueError where `x` has none such."""
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


def refuse_ambiguous_heads(name: str, x: Array, given: str) -> None:
    """Raise ValueError where a guess of the axis of heads could be wrong in silence."""
    if len(x.shape) >= 4:
        shape = tuple(x.shape)
        raise ValueError(
            f"heads_axis must be given for {name} of shape {shape} when positions is {given}: heads_axis=-2 reads {shape[-3]} "
            f"tokens of {shape[-2]} heads, heads_axis=-3 reads {shape[-2]} tokens of {shape[-3]} heads"
        )
