"""torch: gradients, torch.compile and a module for a model's layers.

Nothing in the module can be lost in a checkpoint or rounded by .to(torch.bfloat16).
"""

import torch

import yarncore as yc
from yarncore.torch import RotaryEmbedding

rotary = RotaryEmbedding(yc.Rope(128, scaling=yc.DynamicYaRN(original_length=4096)), heads_axis=-3)
q, k = torch.randn(1, 32, 7, 128, requires_grad=True), torch.randn(1, 8, 7, 128, requires_grad=True)
q2, k2 = torch.compile(rotary, fullgraph=True)(q, k, None, length=10_000)  # s = 10,000 / 4096
(q2.sum() + k2.sum()).backward()
