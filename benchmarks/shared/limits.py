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
    sources = [HERE / "passes.cpp", HERE.parents[1] / "csrc/cpu/threads.cpp"]
    flags = ["-O3", "-march=native", "-mprefer-vector-width=512", "-std=c++17", "-shared", "-fPIC", "-pthread"]
    subprocess.run(["g++", *flags, *map(str, sources), "-o", str(target)], check=True)
    library = ctypes.CDLL(str(target))
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    library.scale.argtypes = [pointer, size, ctypes.c_float, ctypes.c_int]
    library.copy_slots.argtypes = [*[pointer] * 4, size, size, ctypes.c_int, ctypes.c_int]
    library.copy.argtypes = library.copy_past_the_caches.argtypes = [pointer, pointer, size, ctypes.c_int]
    return library


def _memory(x):
    """Address and whole lines of bytes of a NumPy array or torch tensor."""
    if hasattr(x, "data_ptr"):
        return x.data_ptr(), x.numel() * x.element_size() // LINE * LINE
    return x.ctypes.data, x.nbytes // LINE * LINE


def passes(arrays, sources, targets, threads):
    """Competitors that only scale `arrays`, or only copy `sources` to `targets`, on one thread and on all.

    16-bit elements are scaled as if they were float32. What is named alike up to the first comma are ways to do the
    same: the fastest is the limit. Where the work does not fit a core's cache, one thread is not tried, and each way to
    copy has arrays of its own: what the one before left in a cache would make it faster than anybody alone.
    """
    library = _library()
    small = sum(_memory(x)[1] for x in [*arrays, *sources]) < 4 << 20
    other_sources, other_targets = ([_copy(x) for x in group] for group in (sources, targets))
    competitors = {}
    for count in {1, threads} if small else {threads}:

        def scale(count=count):
            for x in arrays:
                library.scale(*_memory(x), 1.0000001, count)

        def copy(count=count):
            for x, y in zip(sources, targets, strict=True):
                library.copy(_memory(y)[0], *_memory(x), count)

        def stream(count=count):
            for x, y in zip(other_sources, other_targets, strict=True):
                library.copy_past_the_caches(_memory(y)[0], *_memory(x), count)

        competitors |= {f"scale, {count}": scale, f"copy, {count}": copy, f"copy, streamed, {count}": stream}
    return competitors


def copies_by_slots(pairs, source, target, threads):
    """Competitors that copy tokens of one pool to another by slots: (from, into) pairs of contiguous arrays.

    `source` may be None: the tokens in their order. Each way to copy has arrays of its own.
    """
    library, count = _library(), len(target)
    competitors = {}
    for how, name in enumerate(("plain", "fetched ahead", "streamed")):
        own = [(_copy(x), _copy(y)) for x, y in pairs]

        def copy(own=own, how=how):
            for x, y in own:
                bytes_a_token = _memory(y)[1] // (y.shape[0] * y.shape[1])
                library.copy_slots(
                    _memory(y)[0], _memory(x)[0], target.ctypes.data, None if source is None else source.ctypes.data,
                    count, bytes_a_token, how, threads,
                )  # fmt: skip

        competitors[f"copy, {name}"] = copy
    return competitors


def _copy(x):
    return x.clone() if hasattr(x, "clone") else x.copy()


def limit(times, name):
    """The fastest of the competitors of one name."""
    return min(value[0] for key, value in times.items() if key.partition(",")[0] == name)
