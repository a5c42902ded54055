"""Whether strided arrays overlap in memory: legal views of a fused buffer must pass, real overlap must not."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from yarncore.namespaces import Array, framework_of, is_numpy, is_torch, is_virtual

_ENUMERABLE = 1 << 20  # elements whose addresses are listed where the strides alone prove nothing
_SEARCH_STEPS = 1 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """Where an array lies: byte address, extents, strides in bytes and bytes an element."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {
            "data": (self.address, True),
            "shape": self.shape,
            "strides": self.strides,
            "typestr": f"|V{self.itemsize}",
            "version": 3,
        }


def layout_of(x: Array) -> Layout | None:
    """The layout of an array of NumPy, torch or CuPy; None where there is no memory to be seen."""
    if is_numpy(x):
        return Layout(x.__array_interface__["data"][0], x.shape, x.strides, x.itemsize)
    if is_torch(x) and x.device.type in ("cpu", "cuda") and not is_virtual(x):
        size = x.element_size()
        return Layout(x.data_ptr(), tuple(x.shape), tuple(stride * size for stride in x.stride()), size)
    if framework_of(x) == "cupy":
        return Layout(x.data.ptr, x.shape, x.strides, x.itemsize)
    return None


def repeats_memory(layout: Layout) -> bool:
    """Whether two elements of one array share a byte.

    Raises
    ------
    ValueError
        Where that can be neither proved nor refuted within bounds.
    """
    if 0 in layout.shape:
        return False
    axes = sorted((abs(s), n) for s, n in zip(layout.strides, layout.shape, strict=True) if n > 1)
    span, nested = layout.itemsize, True
    for stride, extent in axes:
        if stride == 0:
            return True
        nested = nested and stride >= span
        span += stride * (extent - 1)
    if nested:
        return False
    if np.prod(layout.shape, dtype=object) > _ENUMERABLE:
        raise ValueError(f"cannot prove that strides {layout.strides} of shape {layout.shape} do not overlap")
    addresses = np.zeros((), dtype=np.int64)
    for stride, extent in axes:
        addresses = np.add.outer(addresses, stride * np.arange(extent, dtype=np.int64))
    return bool(np.any(np.diff(np.sort(addresses, axis=None)) < layout.itemsize))


def overlap(a: Layout, b: Layout) -> bool:
    """Whether two arrays share a byte.

    Raises
    ------
    ValueError
        Where that can be neither proved nor refuted within bounds.
    """
    if 0 in a.shape or 0 in b.shape:
        return False
    try:
        return bool(np.shares_memory(np.asarray(a), np.asarray(b), max_work=_SEARCH_STEPS))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        raise ValueError("cannot prove that the arrays do not overlap") from None
