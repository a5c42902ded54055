"""NumPy: fresh results, in place, and the arrays themselves."""

import numpy as np

import yarncore as yc

rope = yc.Rope(head_dim=128, base=10_000.0, scaling=yc.YaRN(factor=16.0, original_length=4096))
q = np.random.randn(1, 1024, 32, 128).astype(np.float32)  # (batch, seq, heads, dim)
k = np.random.randn(1, 1024, 8, 128).astype(np.float32)
q2, k2 = rope.rotate(q, k, None, heads_axis=-2)  # positions 0, 1, 2, ...; the attention factor is applied
rope.rotate_(q, k, 60_000, heads_axis=-2)  # in place, from position 60,000 on
cos, sin = rope.cos_sin([0, 65_535])  # for code that needs the arrays
