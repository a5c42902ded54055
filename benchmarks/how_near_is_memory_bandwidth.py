"""How near is a rotation to a pass over the same bytes that only scales, or only copies?

Both are written in C++ with the extension's own thread pool (shared/passes.cpp); the fastest of one thread or all, and of
plain stores or those past the caches, is the limit. Run: python benchmarks/how_near_is_memory_bandwidth.py
"""

import numpy as np
import pytest
import torch

import yarncore as yc

from shared.interleaved import medians, memory_choices, microseconds, print_table
from shared.limits import limit, passes
from shared.workload import DIM, DTYPES, HEADS, ROTATION, tensors

INTERLEAVED = yc.Rope(DIM, interleaved=True).at()
CASES = [
    (name, tokens, threads)
    for name in DTYPES
    for tokens in (16, 512, 1024, 4096, 8192)
    for threads in ((1, None) if tokens == 512 else (None,))
]


def measure(tokens, dtype, threads=None, seconds=0.7):
    """Times of the rotation in place and into `out`, of both pair layouts, and of the passes."""
    threads = threads or yc.get_num_threads()
    q, k = tensors(tokens, dtype)
    other = tensors(tokens, dtype)
    source, out = tensors(tokens, dtype), tensors(tokens, dtype)
    with torch.inference_mode():
        return medians(
            {
                "in place": lambda: ROTATION.rotate_(q, k, None, heads_axis=-2),
                "interleaved": lambda: INTERLEAVED.rotate_(other[0], other[1], None, heads_axis=-2),
                "out=": lambda: ROTATION.rotate(source[0], source[1], None, heads_axis=-2, out=out),
            }
            | passes(tensors(tokens, dtype), tensors(tokens, dtype), tensors(tokens, dtype), threads),
            seconds,
        )


def table(cases=CASES):
    """Rows of the table."""
    most = yc.get_num_threads()
    rows = []
    for name, tokens, threads in cases:
        yc.set_num_threads(threads or most)
        times = measure(tokens, DTYPES[name], threads)
        scale, copy = limit(times, "scale"), limit(times, "copy")
        spread = max(times[key][1] for key in ("in place", "interleaved", "out="))
        rows.append([
            f"{name}, {tokens} tokens, {threads or most} thread{'s' if (threads or most) > 1 else ''}",
            microseconds(times["in place"][0]), f"{times['in place'][0] / scale:.2f} x",
            f"{times['interleaved'][0] / times['in place'][0]:.2f} x",
            microseconds(times["out="][0]), f"{times['out='][0] / copy:.2f} x", f"{spread:.0%}",
        ])  # fmt: skip
    yc.set_num_threads(most)
    return rows


TITLE = f"q (1, S, {HEADS}, {DIM}) and k (1, S, 8, {DIM}): time, and as a multiple of the limit"
COLUMNS = ["", "in place", "of a scale pass", "interleaved / half-split", "out=", "of a copy", "spread"]


@pytest.mark.parametrize("tokens", [1, 512, 4096])
@pytest.mark.parametrize("dtype", DTYPES)
def test_in_place(benchmark, dtype, tokens):
    q, k = tensors(tokens, DTYPES[dtype])
    benchmark(lambda: ROTATION.rotate_(q, k, None, heads_axis=-2))


@pytest.mark.parametrize("interleaved", [False, True])
def test_numpy_out(benchmark, interleaved):
    rotation = yc.Rope(DIM, interleaved=interleaved).at()
    q = np.ones((1, 4096, HEADS, DIM), dtype=np.float32)
    out = np.empty_like(q)
    benchmark(lambda: rotation.rotate(q, None, None, heads_axis=-2, out=out))


if __name__ == "__main__":
    print_table(TITLE, COLUMNS, table())
    print(*memory_choices(), sep="\n")
