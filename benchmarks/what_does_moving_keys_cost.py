"""What does it cost to move cached keys from slots to slots, turned, and to append new ones, beside copying them?

Keys of 8 heads of 128, blocks of 16 tokens in any order, one delta a block; the copy takes the same bytes by the same
slots (shared/passes.cpp): the fastest of plain stores, plain stores with the next token fetched, and stores past the
caches. Whole Python calls, checks included.
Run: python benchmarks/what_does_moving_keys_cost.py [--processor-time]
The option is for a machine that others use too: one thread, and the time that it ran.
"""

import sys
import time

import numpy as np
import pytest
import torch

import yarncore as yc

from shared.interleaved import medians, memory_choices, microseconds, print_table
from shared.limits import copies_by_slots, limit
from shared.workload import DIM, DTYPES, KEY_HEADS, ROTATION

BLOCK = 16
OTHER = yc.Rope(DIM, scaling=yc.YaRN(factor=4.0, original_length=4096)).at()
CASES = [(name, tokens) for name in ("float32", "bfloat16") for tokens in (512, 4096, 16384)]


def pools(count, tokens, dtype):
    """Pools with twice as many blocks as the tokens fill."""
    return [torch.randn(2 * tokens // BLOCK, BLOCK, KEY_HEADS, DIM).to(dtype) for _ in range(count)]


def slots(tokens, seed):
    """Slots of blocks in any order."""
    blocks = np.random.default_rng(seed).permutation(2 * tokens // BLOCK)[: tokens // BLOCK]
    return (blocks[:, None] * BLOCK + np.arange(BLOCK)).reshape(-1)


def competitors(tokens, dtype):
    """The calls, each on arrays of its own, and the copies of the same bytes."""
    source, target = slots(tokens, 1), slots(tokens, 2)
    by = np.repeat(np.random.default_rng(3).integers(-1000, 1000, tokens // BLOCK), BLOCK)
    positions = np.arange(tokens)
    moved, both, append, same = (pools(2, tokens, dtype) for _ in range(4))
    values, cached = pools(2, tokens, dtype), pools(2, tokens, dtype)
    k, v = (torch.randn(tokens, KEY_HEADS, DIM).to(dtype) for _ in range(2))
    threads = yc.get_num_threads()
    calls = {
        "moved": lambda: yc.move_(moved[0], source, target, ROTATION, by=by, into=moved[1]),
        "moved, values too": lambda: yc.move_(
            both[0], source, target, ROTATION, by=by, into=both[1], values=values[0], values_into=values[1]
        ),
        "moved to another scale too": lambda: yc.move_(
            same[0], source, target, ROTATION, by=by, new=OTHER, positions=positions, into=same[1]
        ),
        "appended": lambda: yc.append_(ROTATION, None, k, None, positions, key_cache=append[0], slots=target),
        "appended, values too": lambda: yc.append_(
            ROTATION, None, k, v, positions, key_cache=cached[0], value_cache=cached[1], slots=target
        ),
    }
    one, two = pools(2, tokens, dtype), pools(2, tokens, dtype)
    from_k = [(k.reshape(-1, BLOCK, KEY_HEADS, DIM), one[1]), (v.reshape(-1, BLOCK, KEY_HEADS, DIM), two[1])]
    for name, pairs, order in (
        ("keys", [one], source), ("both", [one, two], source), ("k", from_k[:1], None), ("k and v", from_k, None),
    ):  # fmt: skip
        calls |= {f"{name}{how}": call for how, call in renamed(copies_by_slots(pairs, order, target, threads))}
    return calls


def renamed(copies):
    """The ways to copy without their first word: a name is put before them."""
    return ((name.removeprefix("copy"), call) for name, call in copies.items())


LIMIT_OF = {
    "moved": "keys", "moved, values too": "both", "moved to another scale too": "keys", "appended": "k",
    "appended, values too": "k and v",
}  # fmt: skip


def table(cases=CASES, seconds=3.0, clock=time.perf_counter):
    """Rows of the table."""
    rows = []
    for name, tokens in cases:
        with torch.inference_mode():
            times = medians(competitors(tokens, DTYPES[name]), seconds, clock=clock)
        for what, copied in LIMIT_OF.items():
            (middle, spread), plain = times[what], times[f"{copied}, plain"][0]
            rows.append([
                f"{name}, {tokens} tokens, {what}", microseconds(middle), f"{middle / limit(times, copied):.2f} x",
                f"{middle / plain:.2f} x", f"{spread:.0%}",
            ])  # fmt: skip
    return rows


TITLE = f"Keys of {KEY_HEADS} heads of {DIM} by slots, blocks of {BLOCK}: whole calls, and as a multiple of a copy"
COLUMNS = ["", "time", "of the fastest copy", "of a plain copy", "spread"]


@pytest.mark.parametrize("name", list(LIMIT_OF))
def test_calls(benchmark, name):
    benchmark(competitors(512, torch.bfloat16)[name])


if __name__ == "__main__":
    clock = time.perf_counter
    if "--processor-time" in sys.argv:
        yc.set_num_threads(1)
        clock, TITLE = time.thread_time, f"{TITLE} (time of one thread)"
    print_table(TITLE, COLUMNS, table(clock=clock))
    print(*memory_choices(), sep="\n")
