"""CuPy's arrays as addresses. CuPy is imported only where an array of its own, or a kernel, asks for it."""

import functools
from typing import Any

import numpy as np

from yarncore.backends.device_call import Address, capture_error
from yarncore.namespaces import Array


class CupyDeviceMemory:
    """DeviceMemory of CuPy arrays."""

    def address(self, x: Array) -> Address:
        kind = f"{'i' if x.dtype.itemsize == 2 else x.dtype.kind}{x.dtype.itemsize}"
        return x.data.ptr, kind, tuple(x.shape), tuple(x.strides)

    def from_host(self, array: np.ndarray[Any, Any], like: Array) -> Array:
        import cupy

        with like.device:
            if cupy.cuda.get_current_stream().is_capturing():
                raise capture_error()
            return cupy.asarray(array)

    def device(self, like: Array) -> Any:
        return ("cupy", like.device.id)

    def multiprocessors(self, like: Array) -> int:
        return _multiprocessors(like.device.id)


@functools.cache
def _multiprocessors(device: int) -> int:
    import cupy

    return int(cupy.cuda.Device(device).attributes["MultiProcessorCount"])


MEMORY = CupyDeviceMemory()


def empty_like(x: Array) -> Array:
    """A fresh array on the device of `x`, in its order of strides."""
    import cupy

    with x.device:
        return cupy.empty_like(x, order="K")
