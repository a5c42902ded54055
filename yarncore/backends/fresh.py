"""Memory for results: aligned to a cache line, on huge pages where it is large."""

import numpy as np

from yarncore.namespaces import Array, is_torch

_LINE = 64  # bytes of a cache line, and of the widest register


def fresh_like(x: Array) -> Array:
    """An uninitialised array with the shape, the dtype and the order of strides of a NumPy array or torch tensor."""
    if is_torch(x):
        from yarncore.backends.torch import fresh_tensor_like

        return fresh_tensor_like(x)
    dtype = x.dtype.newbyteorder("=")
    # NumPy puts large arrays 16 bytes behind a page: streaming stores need whole lines.
    memory = np.empty(x.size * dtype.itemsize + _LINE, dtype=np.uint8)
    start = -memory.ctypes.data % _LINE
    order = sorted(range(x.ndim), key=lambda axis: (-abs(x.strides[axis]), axis))
    dense = np.ndarray(tuple(x.shape[axis] for axis in order), dtype, memory.data, start)
    return dense.transpose(np.argsort(order))
