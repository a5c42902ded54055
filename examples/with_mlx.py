"""MLX."""

import mlx.core as mx

import yarncore as yc

rope = yc.Rope(128, scaling=yc.YaRN(factor=16.0, original_length=4096))
q, k = mx.ones((1, 7, 32, 128)), mx.ones((1, 7, 8, 128))
q2, k2 = rope.rotate(q, k, mx.arange(7), heads_axis=-2)
