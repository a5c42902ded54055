"""Whether strided arrays overlap in memory: legal views of a fused buffer must pass, real overlap must not."""

import numpy as np

from yarncore.frameworks.layout import Layout

_ENUMERABLE = 1 << 20  # elements whose addresses are listed where the strides alone prove nothing
_SEARCH_STEPS = 1 << 20


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
