"""What does one call cost, q and k of one token, in place?

The whole Python call with all its checks, beside an empty C call of two arguments.
Run: python benchmarks/what_does_one_call_cost.py
"""

import statistics
import timeit

import numpy as np
import torch

from shared.interleaved import print_table
from shared.peers import onnx_peers, torch_peers
from shared.workload import ROTATION, tensors


def nanoseconds(call, number):
    return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e9


def competitors():
    """Name, call, calls a round, and the context it is made in."""
    q, k = tensors(1)
    arrays = [x.numpy() for x in tensors(1)]
    plain = torch.inference_mode(False)
    inference = torch.inference_mode()
    rotate_ = ROTATION.rotate_
    with torch.inference_mode():
        inside_q, inside_k = tensors(1)
    peers = torch_peers(1, torch.float32) | onnx_peers(1, "float32")
    calls = {
        "an empty C call of two arguments": (lambda: divmod(7, 3), 20_000, plain),
        "NumPy": (lambda: rotate_(arrays[0], arrays[1], 7, heads_axis=-2), 20_000, plain),
        "torch, inference mode": (lambda: rotate_(inside_q, inside_k, 7, heads_axis=-2), 20_000, inference),
        "torch": (lambda: rotate_(q, k, 7, heads_axis=-2), 20_000, plain),
    }
    return calls | {name: (call, 300, torch.no_grad()) for name, call in peers.items()}


def table(rounds=7):
    """Rows of the table: the median of rounds in which all take turns."""
    torch.set_num_threads(1)
    samples = {}
    calls = competitors()
    for _ in range(rounds):
        for name, (call, number, context) in calls.items():
            with context:
                samples.setdefault(name, []).append(nanoseconds(call, number))
    medians = {name: statistics.median(values) for name, values in samples.items()}
    ours = medians["torch"]
    return [
        [
            name,
            f"{value / 1000:.2f} us",
            f"{(max(samples[name]) - min(samples[name])) / value:.0%}",
            f"{value / ours:.1f} x",
        ]
        for name, value in medians.items()
    ]


TITLE = "q (1, 1, 32, 128) and k (1, 1, 8, 128), float32: one whole call"
COLUMNS = ["", "time", "spread", "of ours in torch"]


def test_numpy(benchmark):
    q, k = (np.ones((1, 1, heads, 128), dtype=np.float32) for heads in (32, 8))
    benchmark(lambda: ROTATION.rotate_(q, k, 7, heads_axis=-2))


if __name__ == "__main__":
    print_table(TITLE, COLUMNS, table())
