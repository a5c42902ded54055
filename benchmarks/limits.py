"""The limits in C++: the fastest passes over the same bytes that only scale or copy, on the same kind of threads."""

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LINE = 64


@functools.cache
def _library():
    folder = Path(tempfile.mkdtemp(prefix="yarncore-limits-"))
    target = folder / "passes.so"
    sources = [HERE / "passes.cpp", HERE.parent / "csrc/cpu/threads.cpp"]
    flags = ["-O3", "-march=native", "-mprefer-vector-width=512", "-std=c++17", "-shared", "-fPIC", "-pthread"]
    subprocess.run(["g++", *flags, *map(str, sources), "-o", str(target)], check=True)
    library = ctypes.CDLL(str(target))
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    library.scale.argtypes = [pointer, size, ctypes.c_float, ctypes.c_int]
    library.copy.argtypes = library.copy_past_the_caches.argtypes = [pointer, pointer, size, ctypes.c_int]
    return library


def _memory(x):
    """Address and whole lines of bytes of a NumPy array or torch tensor."""
    if hasattr(x, "data_ptr"):
        return x.data_ptr(), x.numel() * x.element_size() // LINE * LINE
    return x.ctypes.data, x.nbytes // LINE * LINE


def scale(arrays, threads):
    """A call that scales every array in place by a number near 1; 16-bit elements are scaled as if they were float32."""
    library, parts = _library(), [_memory(x) for x in arrays]

    def run():
        for address, size in parts:
            library.scale(address, size, 1.0000001, threads)

    return run


def copies(sources, targets, threads):
    """Two calls that copy: with plain stores, and past the caches."""
    library = _library()
    parts = [(_memory(y)[0], *_memory(x)) for x, y in zip(sources, targets, strict=True)]

    def plain():
        for to, source, size in parts:
            library.copy(to, source, size, threads)

    def streamed():
        for to, source, size in parts:
            library.copy_past_the_caches(to, source, size, threads)

    return plain, streamed
