"""Dask, block by block: every block of 64 tokens knows its positions."""

import dask.array as da

import yarncore as yc

rope = yc.Rope(128, scaling=yc.YaRN(factor=16.0, original_length=4096))
q, k = da.ones((1, 1000, 32, 128), chunks=(1, 64, 32, 128)), da.ones((1, 1000, 8, 128), chunks=(1, 64, 8, 128))
q2, k2 = rope.rotate(q, k, None, heads_axis=-2)  # lazy
total = (q2.sum() + k2.sum()).compute()
