"""The GPU's kernel on the host, as a device made of NumPy arrays: planned by the extension, run thread by thread."""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from yarncore.backends.gpu.launches import launches
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS
from yarncore.request.request import make_request

HERE = Path(__file__).parent
COMPILERS = {
    "c++": [os.environ.get("CXX", "g++"), "-ffp-contract=off", "-fPIC", "-Wall", "-Wextra", "-Werror"],
    "nvcc": ["nvcc", "-x", "cu", "-fmad=false", "-arch=sm_90", "-Xcompiler", "-fPIC,-ffp-contract=off"],
}


def available_compilers():
    """c++, and nvcc where there is one: its headers bring conversions of their own."""
    return [name for name in COMPILERS if name == "c++" or shutil.which("nvcc")]


@functools.cache
def library(compiler="c++"):
    """The shared library, built once a session."""
    folder = tempfile.mkdtemp()
    path = f"{folder}/kernel_on_host.so"
    subprocess.run(
        [*COMPILERS[compiler], "-std=c++17", "-O2", "-shared", HERE / "kernel_on_host.cpp", "-o", path],
        check=True, capture_output=True,
    )  # fmt: skip
    loaded = ctypes.CDLL(path)
    for function in (loaded.run, loaded.run_paged):
        function.argtypes = [ctypes.c_char_p, ctypes.c_char_p, *[ctypes.c_int] * 2, *[ctypes.c_uint32] * 2]
    return loaded


def run(one, compiler="c++"):
    """One launch, block by block and thread by thread."""
    kernel = library(compiler).run_paged if one.paged else library(compiler).run
    done = kernel(
        one.parameter, one.element_type.encode(), one.access_bytes, one.interleaved, one.grid, one.shared_bytes
    )
    assert done, (one.element_type, one.access_bytes)


class HostMemory:
    """DeviceMemory of NumPy arrays."""

    def __init__(self, multiprocessors=4):
        self.count = multiprocessors

    def address(self, x):
        kind = "i" if x.dtype.kind not in "iuf" or x.itemsize == 2 else x.dtype.kind
        return x.__array_interface__["data"][0], f"{kind}{x.itemsize}", x.shape, x.strides

    def from_host(self, array, like):
        return array.copy()

    def device(self, like):
        return "host"

    def multiprocessors(self, like):
        return self.count


def rotate(
    rotation, q, k, positions, *, heads_axis=AUTOMATIC_HEADS_AXIS, out=None, in_place=False, slots=None,
    compiler="c++", multiprocessors=4,
):  # fmt: skip
    """Rotation.rotate by the kernel; also what was launched."""
    request = make_request(
        rotation._record, q, k, positions, heads_axis=heads_axis, out=out, in_place=in_place, slots=slots
    )
    results = request.outputs if request.outputs is not None else [np.empty_like(x) for x in request.inputs]
    plan, kept = launches(request, results, HostMemory(multiprocessors))
    for one in plan:
        run(one, compiler)
    del kept
    return results, plan
