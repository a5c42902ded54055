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


def _thread_counts(threads):
    return {1, threads}


def passes(arrays, sources, targets, threads):
    """Competitors that only scale `arrays`, or only copy `sources` to `targets`, on one thread and on all.

    16-bit elements are scaled as if they were float32. What is named alike up to the first comma are ways to do the
    same: the fastest is the limit.
    """
    library = _library()
    scaled = [_memory(x) for x in arrays]
    copied = [(_memory(y)[0], *_memory(x)) for x, y in zip(sources, targets, strict=True)]
    competitors = {}
    for count in _thread_counts(threads):

        def scale(count=count, kept_alive=arrays):
            for address, size in scaled:
                library.scale(address, size, 1.0000001, count)

        def copy(count=count, kept_alive=(sources, targets)):
            for to, source, size in copied:
                library.copy(to, source, size, count)

        def stream(count=count, kept_alive=(sources, targets)):
            for to, source, size in copied:
                library.copy_past_the_caches(to, source, size, count)

        competitors |= {f"scale, {count}": scale, f"copy, {count}": copy, f"copy, streamed, {count}": stream}
    return competitors


def limit(times, name):
    """The fastest of the competitors of one name."""
    return min(value[0] for key, value in times.items() if key.partition(",")[0] == name)
