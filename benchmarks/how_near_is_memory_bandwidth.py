"""How near is a rotation to a pass over the same bytes that only scales?

The limit in place is x *= c in torch at the same number of threads (its kernels are at memory bandwidth here);
for `out=` a copy. Run: python benchmarks/how_near_is_memory_bandwidth.py
"""

import numpy as np
import pytest
import torch
from interleaved import medians, microseconds, print_table

import yarncore as yc

HEADS, KEY_HEADS, DIM = 32, 8, 128
ROTATION = yc.Rope(DIM).at()
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def tensors(tokens, dtype):
    return [torch.randn(1, tokens, heads, DIM).to(dtype) for heads in (HEADS, KEY_HEADS)]


def measure(tokens, dtype, seconds=1.0):
    q, k = tensors(tokens, dtype)
    scaled = tensors(tokens, dtype)
    out = tensors(tokens, dtype)
    source, target = tensors(tokens, dtype), tensors(tokens, dtype)

    def scale():
        for x in scaled:
            x.mul_(1.0000001)

    def copy():
        for x, y in zip(source, target, strict=True):
            y.copy_(x)

    with torch.inference_mode():
        return medians(
            {
                "in place": lambda: ROTATION.rotate_(q, k, None, heads_axis=-2),
                "scale": scale,
                "out=": lambda: ROTATION.rotate(source[0], source[1], None, heads_axis=-2, out=out),
                "copy": copy,
            },
            seconds,
        )


def main():
    torch.set_num_threads(yc.get_num_threads())
    rows = []
    for name, dtype in DTYPES.items():
        for tokens in (16, 512, 4096, 16384):
            times = measure(tokens, dtype)
            in_place, scale, out, copy = (times[key][0] for key in ("in place", "scale", "out=", "copy"))
            spread = max(value[1] for value in times.values())
            rows.append([
                f"{name}, {tokens} tokens", microseconds(in_place), f"{in_place / scale:.2f} x", microseconds(out),
                f"{out / copy:.2f} x", f"{spread:.0%}",
            ])  # fmt: skip
    print_table(
        f"q (1, S, {HEADS}, {DIM}) and k (1, S, {KEY_HEADS}, {DIM}): time, and as a multiple of the limit",
        ["", "in place", "of a scale pass", "out=", "of a copy", "spread"],
        rows,
    )


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
    main()
