"""The work that is measured everywhere: q of 32 heads and k of 8, of 128 elements, forward."""

import torch

import yarncore as yc

HEADS, KEY_HEADS, DIM = 32, 8, 128
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ROPE = yc.Rope(DIM)
ROTATION = ROPE.at()


def tensors(tokens, dtype=torch.float32, heads_first=False, dim=DIM):
    """q and k, (1, tokens, heads, dim) or (1, heads, tokens, dim)."""
    shapes = ((1, n, tokens, dim) if heads_first else (1, tokens, n, dim) for n in (HEADS, KEY_HEADS))
    return [torch.randn(shape).to(dtype) for shape in shapes]
