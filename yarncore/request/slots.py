"""Slots: which tokens of a paged cache are turned."""

from typing import Any

import numpy as np

from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, of
from yarncore.request.tensors import check_device


def checked_slots(
    slots: Any, token_shape: tuple[int, ...], like: Array, name: str = "slots", once: str | None = "rotated"
) -> Any:
    """Flattened token indices in range; as they are where they cannot be read without waiting.

    `once`: what would be done twice to a token that is named twice, which is refused; None: it may be.
    """
    if is_array(slots) and of(slots).is_traced(slots) and of(slots).name == of(like).name:
        check_device(name, slots, like)
        if not of(slots).is_integer(slots):
            raise TypeError(f"{name} has dtype {slots.dtype}; integers are expected")
        if len(slots.shape) != 1:
            raise ValueError(f"{name} has shape {tuple(slots.shape)}; one axis is expected")
        return slots
    array = of(slots).on_host(slots) if is_array(slots) else np.asarray(slots)
    if array.shape == (0,):
        return np.empty(0, dtype=np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {array.dtype}; integers are expected")
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; one axis is expected")
    tokens = int(np.prod(token_shape, dtype=object))
    if array.size and (int(array.min()) < -1 or int(array.max()) >= tokens):
        raise ValueError(f"{name} has entries outside of -1 ... {tokens - 1}, the flattened token axes {token_shape}")
    if once is not None:
        used = array[array >= 0]
        seen = np.zeros(tokens if used.size else 0, dtype=bool)
        seen[used] = True
        if np.count_nonzero(seen) != used.size:
            raise ValueError(f"{name} names a token twice: it would be {once} twice")
    return np.ascontiguousarray(array, dtype=np.int64)
