"""The kernel compiled at run time through CuPy, from the sources that the extension's are made of."""

import functools
import importlib.util
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from yarncore.backends.native import available_extension
from yarncore.backends.on_device import DeviceBackend
from yarncore.namespaces import Array, is_torch

_INSTALL = "install cupy-cuda12x or cupy-cuda13x, as your driver asks"


class CupyBackend(DeviceBackend):
    """NVRTC's kernels on CuPy arrays and torch's CUDA tensors."""

    name = "cupy"
    does = "the kernel that CuPy compiles at run time, on"

    def why_unavailable(self) -> str | None:
        return _why_unavailable()

    def launch(self, plan: list[Any], like: Array) -> None:
        import cupy

        if is_torch(like):
            from yarncore.backends.torch_device import stream_of

            device = cupy.cuda.Device(like.device.index)
            stream: Any = cupy.cuda.ExternalStream(stream_of(like), like.device.index)
        else:
            device, stream = like.device, nullcontext()
        threads = available_extension().threads_per_block
        with device, stream:
            for one in plan:
                kernel = _kernel(one.element_type, one.access_bytes, one.interleaved, device.id)
                # A NumPy array of no axes goes by value: the kernel's one parameter.
                parameter = np.frombuffer(one.parameter, dtype=f"V{len(one.parameter)}").reshape(())
                kernel((one.grid,), (threads,), (parameter,), shared_mem=one.shared_bytes)


@functools.cache
def _why_unavailable() -> str | None:
    extension = available_extension()
    if extension is None:
        return "the extension, which plans the launches, cannot be loaded"
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed; {_INSTALL}"
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # a broken CUDA shows itself in many ways
        return f"CuPy does not work here ({type(error).__name__}: {error}); {_INSTALL}"
    return None if count else "CuPy finds no GPU"


def kernel_name(element: str, access_bytes: int, interleaved: bool) -> str:
    """The kernel as an expression of C++."""
    return f"yarncore::cuda::rotate<yarncore::ElementType::{element}, {access_bytes}, {str(interleaved).lower()}>"


def source_folder() -> Path:
    """Where the sources lie that the kernel is compiled from: beside the extension."""
    return Path(available_extension().__file__).parent / "kernel_source"


OPTIONS = ("-std=c++17", "-fmad=false")


@functools.cache
def _kernel(element: str, access_bytes: int, interleaved: bool, device: int) -> Any:
    """Compiled once a process and device; CuPy keeps the binary on disk for the next."""
    import cupy

    name = kernel_name(element, access_bytes, interleaved)
    module = cupy.RawModule(
        code='#include "cuda/rotate.cuh"',
        options=(*OPTIONS, f"-I{source_folder()}"),
        name_expressions=(name,),
        backend="nvrtc",
    )
    return module.get_function(name)
