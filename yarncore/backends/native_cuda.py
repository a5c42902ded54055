"""The CUDA kernels of the extension."""

import functools
from typing import Any

from yarncore.backends.native import available_extension
from yarncore.backends.on_device import DeviceBackend
from yarncore.namespaces import Array, is_torch


class NativeCudaBackend(DeviceBackend):
    """yarncore._core's kernels on torch's CUDA tensors and CuPy arrays."""

    name = "native"
    does = "the extension's CUDA kernel on"

    def why_unavailable(self) -> str | None:
        return _why_unavailable()

    def launch(self, plan: list[Any], like: Array) -> None:
        if is_torch(like):
            from yarncore.backends.torch_device import stream_of

            device, stream = like.device.index, stream_of(like)
        else:
            import cupy

            device = like.device.id
            with like.device:
                stream = cupy.cuda.get_current_stream().ptr
        for one in plan:
            one.launch(device, stream)


@functools.cache
def _why_unavailable() -> str | None:
    extension = available_extension()
    return "the extension cannot be loaded" if extension is None else extension.why_no_cuda() or None
