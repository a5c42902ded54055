"""How does the time of a token grow with the length of the sequence, and how much memory does a call take?

Each length is divided by its own limit. Run: python benchmarks/how_does_time_grow.py
"""

import subprocess
import sys

import pytest
import torch

import yarncore as yc

from shared.interleaved import medians, print_table
from shared.limits import limit, passes
from shared.workload import DTYPES, ROTATION, tensors

LENGTHS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 131072)


def curve(dtype, lengths=LENGTHS):
    """(tokens, nanoseconds a token, multiple of the limit) of each length, in place."""
    points = []
    for tokens in lengths:
        q, k = tensors(tokens, dtype)
        scaled = tensors(tokens, dtype)
        with torch.inference_mode():
            ours = {"ours": lambda q=q, k=k: ROTATION.rotate_(q, k, None, heads_axis=-2)}
            times = medians(ours | passes(scaled, [], [], yc.get_num_threads()), 0.5 if tokens < 65536 else 2.0)
        time = times["ours"][0]
        points.append((tokens, time / tokens * 1e9, time / limit(times, "scale")))
    return points


EXTRA = """
import resource, numpy as np, yarncore as yc
rotation = yc.Rope(128).at()
small = np.ones((1, 4096, 2, 128), dtype=np.float32)
rotation.rotate_(small, None, None, heads_axis=-2)
x = np.ones((1, 131072, 32, 128), dtype=np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rotation.rotate_(x, None, None, heads_axis=-2)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def extra_kibibytes():
    """How far the peak of a process's memory rises while 131072 tokens are rotated in place."""
    return int(subprocess.run([sys.executable, "-c", EXTRA], capture_output=True, text=True, check=True).stdout)


def fresh_results():
    """Fresh results as a multiple of torch's x * 1, which makes fresh memory too."""
    rows = []
    for name, tokens in (("float32", 4096), ("float32", 16384), ("bfloat16", 8192)):
        q, k = tensors(tokens, DTYPES[name])
        with torch.inference_mode():
            times = medians(
                {
                    "ours": lambda q=q, k=k: ROTATION.rotate(q, k, None, heads_axis=-2),
                    "times one": lambda q=q, k=k: (q * 1, k * 1),
                },
                2.0,
            )
        rows.append((f"fresh results, {name}, {tokens} tokens", times["ours"][0] / times["times one"][0]))
    return rows


def alternation(tokens=512):
    """A torch operation and a rotation in turn, as a multiple of the sum of the two alone."""
    q, k = tensors(tokens)
    a, b = torch.randn(1024, 512), torch.randn(512, 512)

    def rotate():
        ROTATION.rotate_(q, k, None, heads_axis=-2)

    def multiply():
        torch.mm(a, b)

    def repeated(*calls):
        def run():
            for _ in range(20):
                for call in calls:
                    call()

        return run

    with torch.inference_mode():
        times = medians(
            {"both": repeated(multiply, rotate), "rotate": repeated(rotate), "multiply": repeated(multiply)}, 2.0
        )
    return times["both"][0] / (times["rotate"][0] + times["multiply"][0])


def table():
    """Rows of growth."""
    columns = {name: curve(dtype) for name, dtype in DTYPES.items()}
    rows = []
    for i, tokens in enumerate(LENGTHS):
        cells = [f"{points[i][1]:,.0f} ns, {points[i][2]:.2f} x" for points in columns.values()]
        rows.append([f"{tokens}", *cells])
    return rows


def other_table():
    """Rows of what is one number each."""
    rows = [[name, f"{ratio:.2f} x of x * 1"] for name, ratio in fresh_results()]
    rows.append(["matrix product and rotation in turn, 512 tokens", f"{alternation():.2f} x of their sum"])
    rows.append(["extra memory in place, 131072 tokens", f"{extra_kibibytes()} KiB"])
    return rows


TITLE, COLUMNS = "in place, 2 threads: time a token, and the multiple of a scale pass", ["tokens", *DTYPES]
OTHER_TITLE, OTHER_COLUMNS = "Memory and neighbours", ["", ""]


@pytest.mark.parametrize("tokens", [1, 1024])
def test_growth(benchmark, tokens):
    q, k = tensors(tokens)
    benchmark(lambda: ROTATION.rotate_(q, k, None, heads_axis=-2))


if __name__ == "__main__":
    print_table(TITLE, COLUMNS, table())
    print_table(OTHER_TITLE, OTHER_COLUMNS, other_table())
