"""Numbers of the caller's own, checked: what Rotation(...) is made of."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore._arguments import integer, real_number
from yarncore.frameworks.known import is_array, of
from yarncore.frameworks.tracers import extents_may_be_compared


def host_frequencies(value: Any) -> npt.NDArray[np.float64]:
    """Inverse frequencies as float64 on the host, shape (..., pairs)."""
    name = "inverse_frequencies"
    if is_array(value):
        value = of(value).on_host(value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} makes no array: {error}") from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are expected")
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name} has shape {array.shape}; (..., rotary_dim / 2) with at least one pair is expected")
    return array.astype(np.float64)


def host_factors(name: str, value: Any, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Factors > 0 as float64 on the host, one for each length, flattened."""
    if is_array(value):
        value = of(value).on_host(value)
    if not is_array(value) or value.shape == ():
        number = real_number(name, value if not is_array(value) else float(value), above=0)
        return np.full(max(math.prod(shape), 1), number)
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are expected")
    if not (np.isfinite(array) & (array > 0)).all():
        raise ValueError(f"{name} has entries that are not finite and > 0")
    try:
        return np.broadcast_to(array.astype(np.float64), shape).ravel()
    except ValueError:
        raise ValueError(f"{name} has shape {array.shape}; {shape}, that of the lengths, is expected") from None


def checked_rotary_start(rotary_start: Any) -> int:
    """rotary_start as an int >= 0."""
    start = integer("rotary_start", rotary_start)
    if start < 0:
        raise ValueError(f"rotary_start is {start}; an integer >= 0 is expected")
    return start


def checked_head_dim(head_dim: Any, rotary_end: int) -> int | None:
    """head_dim as an int that holds what turns, or None."""
    if head_dim is None:
        return None
    count = integer("head_dim", head_dim)
    with extents_may_be_compared():
        too_small = bool(count < rotary_end)
    if too_small:
        raise ValueError(
            f"head_dim is {count}; at least rotary_start + 2 * the number of frequencies = {rotary_end} is expected"
        )
    return count


def written_out(
    theta: npt.NDArray[np.float64], attention: npt.NDArray[np.float64], softmax: npt.NDArray[np.float64],
    rows: npt.NDArray[Any] | None, head_dim: int | None, interleaved: bool, rotary_start: int,
) -> Callable[[], str]:  # fmt: skip
    """The text of Rotation(...) with these numbers, made when it is asked for."""

    def text() -> str:
        if rows is None:
            numbers = f"{theta[0].tolist()}, {float(attention[0])}, {float(softmax[0])}"
        else:
            per_length = ", ".join(f"np.array({values[rows].tolist()})" for values in (attention, softmax))
            numbers = f"{theta[rows].tolist()}, {per_length}"
        start = f", rotary_start={rotary_start}" if rotary_start else ""
        return f"Rotation({numbers}, head_dim={head_dim}, interleaved={interleaved}{start})"

    return text
