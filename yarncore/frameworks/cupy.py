"""CuPy."""

from typing import Any

from yarncore.frameworks.framework import Framework
from yarncore.frameworks.layout import Layout


class Cupy(Framework):
    """The answers for CuPy's arrays."""

    def device(self, x: Any) -> Any:
        return x.device

    def layout(self, x: Any) -> Layout | None:
        return Layout(x.data.ptr, x.shape, x.strides, x.itemsize)

    def kept(self, x: Any) -> Any:
        return x.copy()

    def on_host(self, x: Any) -> Any:
        return x.get()


CUPY = Cupy("cupy")
