"""torch, with a model's own configuration and a context that grows."""

import torch

import yarncore as yc

rope = yc.from_config("examples/configs/llama-3.1-8b.json")
q, k = torch.randn(2, 32, 7, 128), torch.randn(2, 8, 7, 128)  # (batch, heads, seq, dim)
q2, k2 = rope.rotate(q, k, torch.tensor([[0, 1, 2, 3, 4, 5, 6], [9, 10, 11, 12, 13, 14, 15]]), heads_axis=-3)

growing = yc.Rope(128, scaling=yc.DynamicYaRN(original_length=4096, steps="doubling"))
old, new = growing.at(4096), growing.at(10_000)  # s = 1, then 4
keys = old.rotate(k, None, None, heads_axis=-3)
yc.rerotate_(keys, None, old, new, heads_axis=-3)  # cached keys follow the scale, in one pass
