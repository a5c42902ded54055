"""CuPy's arrays as addresses. Imported only where an array of CuPy's asks for it."""

import functools
from typing import Any

import cupy
import numpy as np

from yarncore.backends.gpu.launches import Address
from yarncore.frameworks.framework import Array, capture_error


class CupyDeviceMemory:
    """DeviceMemory of CuPy arrays."""

    def address(self, x: Array) -> Address:
        kind = f"{'i' if x.dtype.itemsize == 2 else x.dtype.kind}{x.dtype.itemsize}"
        return x.data.ptr, kind, tuple(x.shape), tuple(x.strides)

    def readable(self, x: Array) -> Array:
        return x

    def empty_like(self, x: Array) -> Array:
        with x.device:
            return cupy.empty_like(x, order="K")

    def mark_written(self, x: Array) -> None:
        pass  # nobody keeps account

    def from_host(self, array: np.ndarray[Any, Any], like: Array) -> Array:
        with like.device:
            if cupy.cuda.get_current_stream().is_capturing():
                raise capture_error()
            return cupy.asarray(array)

    def device(self, like: Array) -> Any:
        return ("cupy", like.device.id)

    def number(self, like: Array) -> int:
        return int(like.device.id)

    def stream(self, like: Array) -> int:
        with like.device:
            return int(cupy.cuda.get_current_stream().ptr)

    def multiprocessors(self, like: Array) -> int:
        return _multiprocessors(like.device.id)


@functools.cache
def _multiprocessors(device: int) -> int:
    return int(cupy.cuda.Device(device).attributes["MultiProcessorCount"])
