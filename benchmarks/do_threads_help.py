"""From how many tokens on do threads help?

Run: python benchmarks/do_threads_help.py
"""

import numpy as np
import pytest

import yarncore as yc

from shared.interleaved import medians, microseconds, print_table

ROTATION = yc.Rope(128).at()


def arrays(tokens):
    return [np.ones((1, tokens, heads, 128), dtype=np.float32) for heads in (32, 8)]


def with_threads(count, q, k):
    yc.set_num_threads(count)
    ROTATION.rotate_(q, k, None, heads_axis=-2)


def main():
    most = yc.get_num_threads()
    rows = []
    for tokens in (1, 4, 16, 64, 256, 1024, 4096, 16384):
        q, k = arrays(tokens)
        times = medians({str(n): lambda n=n, q=q, k=k: with_threads(n, q, k) for n in (1, most)}, 0.5)
        one, many = times["1"][0], times[str(most)][0]
        rows.append([f"{tokens}", microseconds(one), microseconds(many), f"{one / many:.2f} x"])
    yc.set_num_threads(most)
    print_table("float32 in place, q of 32 heads and k of 8", ["tokens", "1 thread", f"{most} threads", "gain"], rows)


@pytest.mark.parametrize("count", [1, 2])
def test_threads(benchmark, count):
    before = yc.get_num_threads()
    q, k = arrays(2048)
    benchmark(lambda: with_threads(count, q, k))
    yc.set_num_threads(before)


if __name__ == "__main__":
    main()
