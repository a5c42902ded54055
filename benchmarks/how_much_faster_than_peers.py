"""How much faster is it than what others do?

All are given their cos and sin ready; only applying them is timed. Ours is in place and makes its own.
Packages that are not installed are left out. Run: python benchmarks/how_much_faster_than_peers.py
"""

import pytest
import torch

import yarncore as yc

from shared.interleaved import medians, microseconds, print_table
from shared.peers import jax_peers, onnx_peers, torch_peers
from shared.workload import DTYPES, ROTATION, tensors

PEERS = (
    "transformers eager", "transformers compiled", "torch complex", "rotary-embedding-torch", "onnxruntime", "jax.jit",
)  # fmt: skip


def measure(tokens, name, seconds=2.0):
    dtype = DTYPES[name]
    q, k = tensors(tokens, dtype, heads_first=True)
    ours = {
        "in place": lambda: ROTATION.rotate_(q, k, None, heads_axis=-3),
        "fresh": lambda: ROTATION.rotate(q, k, None, heads_axis=-3),
    }
    with torch.inference_mode():
        return medians(ours | torch_peers(tokens, dtype) | onnx_peers(tokens, name) | jax_peers(tokens, name), seconds)


def table():
    """Rows of the table."""
    torch.set_num_threads(yc.get_num_threads())
    rows = []
    for name in DTYPES:
        for tokens in (1, 16, 512, 4096):
            times = measure(tokens, name)
            ours = times["in place"][0]
            cells = [f"{times[peer][0] / ours:.1f} x" if peer in times else "unmeasured" for peer in PEERS]
            rows.append([f"{name}, {tokens} tokens", microseconds(ours), microseconds(times["fresh"][0]), *cells])
    return rows


TITLE = "q (1, 32, S, 128) and k (1, 8, S, 128): ours, and how many times as long as ours in place others take"
COLUMNS = ["", "in place", "fresh", *PEERS]


@pytest.mark.parametrize("tokens", [1, 512])
def test_transformers_eager(benchmark, tokens):
    benchmark(torch_peers(tokens, torch.float32)["transformers eager"])


@pytest.mark.parametrize("tokens", [1, 512])
def test_ours_in_the_same_layout(benchmark, tokens):
    q, k = tensors(tokens, heads_first=True)
    benchmark(lambda: ROTATION.rotate_(q, k, None, heads_axis=-3))


if __name__ == "__main__":
    print_table(TITLE, COLUMNS, table())
