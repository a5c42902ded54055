"""What does a training step cost: the rotation with its gradient, its time and its peak memory?

Ours saves nothing of q and k; the peers are given their cos and sin ready.
Run: python benchmarks/what_does_a_training_step_cost.py
"""

import functools
import multiprocessing

import pytest
import torch
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

import yarncore as yc

from shared.interleaved import medians, microseconds, print_table
from shared.peers import compiled_apply_rotary, torch_tables
from shared.workload import ROTATION, tensors


def given(tokens):
    """q and k that need gradients, the gradients from above, and the tables of the peers."""
    leaves = [x.requires_grad_() for x in tensors(tokens, heads_first=True)]
    return leaves, [torch.randn_like(x) for x in leaves], torch_tables(tokens, torch.float32)


def ours(q, k, tables):
    return ROTATION.rotate(q, k, None, heads_axis=-3)


def eager(q, k, tables):
    return apply_rotary_pos_emb(q, k, *tables)


def compiled(q, k, tables):
    return compiled_apply_rotary()(q, k, *tables)


def step(function, leaves, upstream, tables):
    """Forward and backward."""
    torch.autograd.backward(function(*leaves, tables), upstream)
    for x in leaves:
        x.grad = None


def forward(leaves, tables):
    with torch.no_grad():
        return ours(*leaves, tables)


def table(tokens=(512, 4096), seconds=3.0):
    """Rows of the table."""
    torch.set_num_threads(yc.get_num_threads())
    rows = []
    for count in tokens:
        leaves, upstream, tables = given(count)
        competitors = {"forward alone": lambda x=leaves, t=tables: forward(x, t)}
        for function in (ours, eager, compiled):
            competitors[function.__name__] = functools.partial(step, function, leaves, upstream, tables)
        times = {name: value for name, (value, _) in medians(competitors, seconds).items()}
        rows.append(
            [
                f"float32, {count} tokens", microseconds(times["ours"]), f"{times['ours'] / times['forward alone']:.2f} x",
                *(f"{times[name] / times['ours']:.1f} x" for name in ("eager", "compiled")),
            ]
        )  # fmt: skip
    return rows


def peak_of(name, tokens, queue):
    """In a process of its own: the most memory that a step needs beyond what it was given, in bytes."""
    torch.set_num_threads(1)
    function = {"ours": ours, "eager": eager}[name]
    leaves, upstream, tables = given(tokens)
    step(function, *given(16))
    torch.autograd.backward(function(*leaves, tables), upstream)  # gradients exist: what is measured is the rest
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        torch.autograd.backward(function(*leaves, tables), upstream)
    held = most = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    queue.put(most)


def memory_table(tokens=4096):
    """Rows: the peak of a step in units of the bytes of q and k."""
    size = sum(x.nbytes for x in tensors(tokens))
    rows = []
    for name in ("ours", "eager"):
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        process = context.Process(target=peak_of, args=(name, tokens, queue))
        process.start()
        most = queue.get(timeout=300)
        process.join()
        rows.append([name if name == "ours" else "transformers eager", f"{most / 2**20:.0f} MiB", f"{most / size:.2f}"])
    return rows


TITLE = "rotate and backward, q (1, 32, S, 128) and k (1, 8, S, 128)"
COLUMNS = ["", "ours", "ours / forward alone", "transformers eager / ours", "compiled / ours"]
MEMORY_TITLE = "peak memory of a step beyond q, k and the gradients given and kept, 4,096 tokens in float32"
MEMORY_COLUMNS = ["", "peak", "in units of q and k"]


@pytest.mark.parametrize("function", [ours, eager])
def test_step(benchmark, function):
    arguments = given(64)
    benchmark(lambda: step(function, *arguments))


if __name__ == "__main__":
    print_table(TITLE, COLUMNS, table())
    print_table(MEMORY_TITLE, MEMORY_COLUMNS, memory_table())
