"""The CUDA kernels of the extension."""

import functools
from typing import Any

from yarncore.backends.gpu.device import DeviceBackend
from yarncore.backends.gpu.launches import DeviceMemory
from yarncore.backends.native.extension import MISSING, extension
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import of


class NativeCudaBackend(DeviceBackend):
    """yarncore._core's kernels on torch's CUDA tensors and CuPy arrays."""

    name = "native"
    does = "the extension's CUDA kernel on"

    def why_unavailable(self) -> str | None:
        return _why_unavailable()

    def faster(self, x: Array) -> str | None:
        if getattr(of(x).device(x), "type", "cuda") != "cuda" or MISSING is not None or not extension().why_no_cuda():
            return None
        return "yarncore built with -C cmake.define.YARNCORE_CUDA=ON; or CuPy, which compiles the same kernel"

    def launch(self, plan: list[Any], memory: DeviceMemory, like: Array) -> None:
        number, stream = memory.number(like), memory.stream(like)
        for one in plan:
            one.launch(number, stream)


@functools.cache
def _why_unavailable() -> str | None:
    return MISSING or extension().why_no_cuda() or None
