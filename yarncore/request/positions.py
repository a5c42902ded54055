"""Positions as the caller gives them -> the form the backends receive."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from yarncore.frameworks.expressions import check_finite
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, of
from yarncore.request.tensors import check_device

_INT64_MAX = 2**63 - 1
_INT64_MIN = -(2**63)


@dataclass(slots=True)
class PlacedPositions:
    """Positions of the token axes (or of the slots).

    Attributes
    ----------
    array : array or None
        Shape (sections,) + grid, or grid where there are no sections: of any real dtype, broadcast with stride 0. In NumPy,
        or in the framework of x. None: offset + 0, 1, 2, ... along the last token axis.
    offset : int or 0-d integer array
        Used where `array` is None. An array only when its value is not known yet.
    """

    array: Array | None
    offset: Any = 0


def token_text(grid: tuple[int, ...], axis: int | None) -> str:
    """The shape of the token axes, and which axes these are."""
    axes = "no axis of heads" if axis is None else f"heads_axis={axis}"
    return f"the shape {grid} of the token axes ({axes})"


def place(
    positions: Any,
    grid: tuple[int, ...],
    token_shape: tuple[int, ...],
    sections: tuple[int, ...],
    *,
    like: Array,
    axis: int | None,
) -> PlacedPositions:
    """Check positions and broadcast them against the grid: the token axes, or the axis of the slots.

    `sections` is the leading axis of positions, () where there is none. A count goes along the last token axis, whichever
    slots there are.

    Raises
    ------
    TypeError, ValueError
        For anything but None, an integer, or real numbers that broadcast; naming what was given.
    """
    if positions is None:
        return PlacedPositions(None, 0)
    array = _as_array(positions, like)
    if not is_array(array):
        _check_offset(array, token_shape)
        return PlacedPositions(None, array)
    _check_dtype(array)
    if len(array.shape) == 0 and of(array).is_integer(array):
        if of(array).is_traced(array):
            return PlacedPositions(None, array)
        offset = int(array)
        _check_offset(offset, token_shape)
        return PlacedPositions(None, offset)
    check_finite("positions", array)
    if sections:
        leading = len(grid) + 1
        if len(array.shape) != leading or array.shape[0] != sections[0]:
            raise ValueError(
                f"positions has shape {tuple(array.shape)}; with sections it has one more axis than x has token axes, first, of "
                f"length {sections[0]}: {(*sections, *grid)} or a shape that broadcasts to it is expected"
            )
    return PlacedPositions(_broadcast(array, (*sections, *grid), axis))


def padded(shape: Any, leading: int, tokens: int) -> tuple[int, ...]:
    """The shape of positions with axes of 1 after the leading ones, so that it broadcasts against `tokens` axes."""
    return (*shape[:leading], *(1,) * (tokens - (len(shape) - leading)), *shape[leading:])


def broadcasts_to(shape: Any, target: tuple[int, ...]) -> bool:
    """Whether an array of `shape` broadcasts to `target`. Extents may be symbols of a tracer, which NumPy would fix."""
    return len(shape) <= len(target) and all(
        n == 1 or n == m or (n != n and m != m)  # Dask's chunks of unknown sizes are NaN
        for n, m in zip(reversed(shape), reversed(target), strict=False)
    )


def broadcast_shape(x: tuple[Any, ...], y: tuple[Any, ...]) -> tuple[Any, ...]:
    """The shape that arrays of both shapes broadcast to, if there is one; extents as in broadcasts_to."""
    pairs = itertools.zip_longest(reversed(x), reversed(y), fillvalue=1)
    return tuple(m if n == 1 else n for m, n in pairs)[::-1]


def _as_array(positions: Any, like: Array) -> Any:
    """An int for an offset, else an array in NumPy or in the framework of x."""
    if isinstance(positions, (bool, np.bool_)):
        raise TypeError(f"positions is {positions!r}; integers, or None for 0, 1, 2, ... are expected")
    if isinstance(positions, int):
        return positions
    if isinstance(positions, np.generic):
        return int(positions) if positions.dtype.kind in "iu" else np.asarray(positions)
    if isinstance(positions, (list, tuple, range)):
        return _array_of_list(positions)
    if not is_array(positions):
        raise TypeError(
            f"positions is {positions!r} ({type(positions).__name__}); None, an integer, a list or an array is expected"
        )
    home, visitor = of(like).name, of(positions).name
    if visitor not in (home, "numpy"):
        raise TypeError(
            f"positions is an array of {visitor} and q of {home}; {home}, NumPy, a list or an int is expected"
        )
    check_device("positions", positions, like)
    of(positions).check_positions(positions)
    return positions


def _array_of_list(positions: Any) -> np.ndarray[Any, Any]:
    try:
        array = np.asarray(positions)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"positions is a list that makes no array: {error}") from None
    if array.dtype.kind == "O" and all(isinstance(value, int) for value in array.flat):
        raise ValueError("positions has integers beyond 64 bits")
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype == np.float64 and not any(isinstance(value, float) for value in _leaves(positions)):
        # NumPy makes float64 of int64 beside uint64; positions that are all integers must stay exact.
        raise ValueError("positions mixes negative integers and integers >= 2^63, which no integer dtype holds")
    return array


def _leaves(value: Any) -> Any:
    if isinstance(value, (list, tuple, range)):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _check_offset(offset: int, token_shape: tuple[int, ...]) -> None:
    last = offset + (max(token_shape[-1] - 1, 0) if token_shape else 0)
    if offset < _INT64_MIN or last > _INT64_MAX:
        raise ValueError(f"positions overflow: {offset} ... {last} do not fit into 64 bits")


def _check_dtype(array: Array) -> None:
    name = of(array).dtype_name(array)
    if name in ("float16", "bfloat16"):
        limit = 2048 if name == "float16" else 256
        raise ValueError(f"positions has dtype {name}, which cannot represent integers above {limit}; use integers")
    if not (of(array).is_integer(array) or name in ("float32", "float64")):
        raise TypeError(f"positions has dtype {array.dtype}; integers, float32 or float64 are expected")


def _broadcast(array: Array, shape: tuple[int, ...], axis: int | None) -> Array:
    if not broadcasts_to(array.shape, shape):
        raise ValueError(
            f"positions has shape {tuple(array.shape)}, but {token_text(shape, axis)} or one that broadcasts to it is expected"
        )
    return of(array).broadcast(array, shape)
