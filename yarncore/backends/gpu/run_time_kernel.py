"""The kernel compiled at run time through CuPy, from the sources that the extension's are made of."""

import functools
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from yarncore.backends.gpu.device import DeviceBackend
from yarncore.backends.gpu.launches import DeviceMemory
from yarncore.backends.native.extension import MISSING, extension
from yarncore.frameworks.framework import Array

_INSTALL = "install cupy-cuda12x or cupy-cuda13x, as your driver asks"


class CupyBackend(DeviceBackend):
    """NVRTC's kernels on CuPy arrays and torch's CUDA tensors."""

    name = "cupy"
    does = "the kernel that CuPy compiles at run time, on"

    def why_unavailable(self) -> str | None:
        return _why_unavailable()

    def launch(self, plan: list[Any], memory: DeviceMemory, like: Array) -> None:
        import cupy

        device = cupy.cuda.Device(memory.number(like))
        stream = cupy.cuda.ExternalStream(memory.stream(like), device.id)
        threads = extension().threads_per_block
        with device, stream:
            for one in plan:
                kernel = _kernel(one.element_type, one.access_bytes, one.interleaved, one.paged, device.id)
                # A NumPy array of no axes goes by value: the kernel's one parameter.
                parameter = np.frombuffer(one.parameter, dtype=f"V{len(one.parameter)}").reshape(())
                kernel((one.grid,), (threads,), (parameter,), shared_mem=one.shared_bytes)


@functools.cache
def _why_unavailable() -> str | None:
    if MISSING is not None:
        return f"{MISSING} (it plans the launches)"
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed; {_INSTALL}"
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # a broken CUDA shows itself in many ways
        return f"CuPy does not work here ({type(error).__name__}: {error}); {_INSTALL}"
    return None if count else "CuPy finds no GPU"


def kernel_name(element: str, access_bytes: int, interleaved: bool, paged: bool) -> str:
    """The kernel as an expression of C++."""
    layout = f"yarncore::ElementType::{element}, {access_bytes}, {str(interleaved).lower()}"
    return f"yarncore::cuda::rotate<{layout}, yarncore::cuda::{'Paged' if paged else ''}KernelRequest>"


def source_folder() -> Path:
    """Where the sources lie that the kernel is compiled from: beside the extension."""
    return Path(extension().__file__).parent / "kernel_source"


OPTIONS = ("-std=c++17", "-fmad=false")


@functools.cache
def _kernel(element: str, access_bytes: int, interleaved: bool, paged: bool, device: int) -> Any:
    """Compiled once a process and device; CuPy keeps the binary on disk for the next."""
    import cupy

    name = kernel_name(element, access_bytes, interleaved, paged)
    module = cupy.RawModule(
        code='#include "cuda/paged.cuh"',
        options=(*OPTIONS, f"-I{source_folder()}"),
        name_expressions=(name,),
        backend="nvrtc",
    )
    return module.get_function(name)
