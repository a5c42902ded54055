"""Do head_dim, rotary_dim, layout, strides or sections matter?

Time per byte, as a multiple of (1, 4096, heads, 128) in one block. Run: python benchmarks/do_shapes_matter.py
"""

import pytest
import torch

import yarncore as yc

from shared.interleaved import medians, print_table
from shared.workload import DIM, HEADS, KEY_HEADS, ROTATION, tensors

TOKENS = 4096


def dimensions(dtype):
    """head_dim of 64 to 256, and a part of a head."""
    cases = {}
    for dim in (64, 80, 96, 192, 256, 48, 6):
        rotation = yc.Rope(dim).at()
        q, k = tensors(TOKENS * DIM // dim, dtype, dim=dim)  # about as many bytes
        cases[f"head_dim {dim}"] = _call(rotation, q, k, -2), _bytes(q, k)
    for dim, rotary_dim in ((128, 32), (80, 48)):
        rotation = yc.Rope(dim, rotary_dim=rotary_dim).at()
        q, k = tensors(TOKENS * DIM // dim, dtype, dim=dim)
        cases[f"{rotary_dim} of {dim} turn"] = _call(rotation, q, k, -2), _bytes(q, k)
    return cases


def layouts(dtype):
    """The ways q and k lie in memory."""
    q, k = tensors(TOKENS, dtype, heads_first=True)
    packed = [x[0] for x in tensors(TOKENS, dtype)]
    qkv = torch.randn(1, TOKENS, HEADS + 2 * KEY_HEADS, DIM).to(dtype)
    views = qkv[:, :, :HEADS], qkv[:, :, HEADS : HEADS + KEY_HEADS]
    keys = torch.randn(TOKENS * 5 // 16, 16, KEY_HEADS, DIM).to(dtype)  # paged: as many bytes as q and k
    blocks = len(keys)
    slots = (torch.randperm(blocks)[:, None] * 16 + torch.arange(16)).flatten()  # blocks in any order
    positions = torch.randint(0, 100_000, (blocks, 16))
    rotation = ROTATION
    return {
        "(batch, heads, seq, dim)": (_call(rotation, q, k, -3), _bytes(q, k)),
        "packed (tokens, heads, dim)": (_call(rotation, *packed, -2), _bytes(*packed)),
        "views of a fused qkv": (_call(rotation, *views, -2), _bytes(*views)),
        "paged blocks, a position a slot": (
            lambda: rotation.rotate_(keys, None, positions, heads_axis=-2), _bytes(keys)),
        "paged blocks, named by slots": (
            lambda: yc.shift_(keys, positions.flatten(), rotation, heads_axis=-2, slots=slots), _bytes(keys)),
    }  # fmt: skip


def sections(dtype):
    """Three positions a token."""
    cases = {}
    for order, parts in (("contiguous", (16, 24, 24)), ("interleaved", (24, 20, 20))):
        rotation = yc.Rope(DIM, sections=parts, section_order=order).at()
        q, k = tensors(TOKENS, dtype)
        positions = torch.randint(0, 30_000, (3, 1, TOKENS))
        cases[f"sections, {order}"] = (
            lambda r=rotation, q=q, k=k, p=positions: r.rotate_(q, k, p, heads_axis=-2), _bytes(q, k))  # fmt: skip
    return cases


def _bytes(*arrays):
    return sum(x.numel() * x.element_size() for x in arrays)


def _call(rotation, q, k, axis):
    return lambda: rotation.rotate_(q, k, None, heads_axis=axis)


def table():
    """Rows of the table."""
    columns = []
    for dtype in (torch.float32, torch.bfloat16):
        q, k = tensors(TOKENS, dtype)
        cases = {"reference": (_call(ROTATION, q, k, -2), _bytes(q, k))}
        cases |= dimensions(dtype) | layouts(dtype) | sections(dtype)
        with torch.inference_mode():
            times = medians({name: call for name, (call, _) in cases.items()}, 6.0)
        per_byte = {name: times[name][0] / size for name, (_, size) in cases.items()}
        columns.append({name: f"{value / per_byte['reference']:.2f} x" for name, value in per_byte.items()})
    return [[name, *(column[name] for column in columns)] for name in columns[0]]


TITLE = f"in place, about the bytes of q (1, {TOKENS}, 32, 128) and k: time per byte, as a multiple of that shape's"
COLUMNS = ["", "float32", "bfloat16"]


@pytest.mark.parametrize("case", ["head_dim 80", "32 of 128 turn"])
def test_dimensions(benchmark, case):
    benchmark(dimensions(torch.float32)[case][0])


if __name__ == "__main__":
    print_table(TITLE, COLUMNS, table())
