"""NumPy."""

from typing import Any

import numpy as np

from yarncore.frameworks.framework import Framework
from yarncore.frameworks.layout import Layout


class Numpy(Framework):
    """The answers for NumPy's arrays and scalars."""

    is_host = True
    takes_slots = True

    def dtype_name(self, x: Any) -> str:
        return str(x.dtype.name)

    def is_integer(self, x: Any) -> bool:
        return x.dtype.kind in "iu"

    def layout(self, x: Any) -> Layout | None:
        return Layout(x.__array_interface__["data"][0], x.shape, x.strides, x.itemsize)

    def broadcast(self, x: Any, shape: tuple[int, ...]) -> Any:
        if not x.dtype.isnative:
            x = x.astype(x.dtype.newbyteorder("="))
        known = all(isinstance(n, int) for n in shape)  # else a tracer's, or Dask's: NumPy would fix them
        return np.broadcast_to(x, shape) if known else x

    def kept(self, x: Any) -> Any:
        copy = x.copy()
        copy.flags.writeable = False
        return copy

    def check(self, name: str, x: Any) -> None:
        if isinstance(x, np.ma.MaskedArray):
            raise TypeError(f"{name} is a masked array: its mask would be lost; give {name}.filled(...) or {name}.data")
        if isinstance(x, np.matrix):
            raise TypeError(f"{name} is a numpy.matrix, which has no axis of heads; give np.asarray({name})")
        if type(x) not in (np.ndarray, np.memmap, np.recarray):
            kind = f"{type(x).__module__}.{type(x).__qualname__}"
            raise TypeError(f"{name} is a {kind}: what makes it one would be lost; give np.asarray({name})")

    def check_writable(self, name: str, x: Any) -> None:
        if not x.flags.writeable:
            raise ValueError(f"{name} is read-only; a writable array is expected")
        if not x.dtype.isnative:
            raise ValueError(f"{name} has dtype {x.dtype} of foreign byte order; a native one is expected in place")


NUMPY = Numpy("numpy")
