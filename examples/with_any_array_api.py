"""Whatever else speaks the array API; here its strictest implementation."""

import array_api_strict as xp

import yarncore as yc

rope = yc.Rope(128, scaling=yc.YaRN(factor=16.0, original_length=4096))
q, k = xp.ones((1, 7, 32, 128)), xp.ones((1, 7, 8, 128))
q2, k2 = rope.rotate(q, k, 100_000, heads_axis=-2)
print(yc.backend_for(q))  # which road, why, and what would be faster
