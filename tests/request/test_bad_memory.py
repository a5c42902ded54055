"""Memory that must not be written: rejected with every byte as it was."""

import dask.array
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from rejections import q_array, read_only

import yarncore as yc

ROPE = yc.Rope(8)
DYNAMIC = yc.Rope(8, scaling=yc.DynamicYaRN(64))


def overlapping(shape, strides):
    return np.lib.stride_tricks.as_strided(np.zeros(64, dtype=np.float32), shape, strides)


def values(x):
    return x.numpy(force=True).copy() if isinstance(x, torch.Tensor) else np.array(x)


def in_place_cases():
    x = q_array()
    qkv = q_array((2, 5, 6, 8))
    big_endian = q_array().astype(">f4")
    meta = torch.ones(2, 8, requires_grad=True)
    negative = torch.view_as_complex(torch.ones(2, 8, 2)).conj().imag
    with torch.inference_mode():
        inference = torch.ones(2, 8)
    yield "same memory", (x, x), -2
    yield "overlap", (qkv[:, :, :3], qkv[:, :, 2:5]), -2
    yield "overlap", (qkv[:, :, :3], qkv[:, :, 1:4]), -2
    yield "overlapping memory", (overlapping((4, 8), (0, 4)), None), None
    yield "overlapping memory", (overlapping((4, 8), (4, 4)), None), None
    yield "overlapping memory", (overlapping((2, 3, 8), (32, 4, 4)), None), None
    yield (
        "overlapping memory",
        (np.lib.stride_tricks.sliding_window_view(np.ones(20), 8, writeable=True), None),
        None,
    )
    yield "overlapping memory", (torch.ones(8).expand(4, 8), None), None
    yield "read-only", (read_only(), None), -2
    yield "read-only", (q_array(), read_only()), -2
    yield "read-only", (np.frombuffer(bytes(64), dtype=np.float32).reshape(2, 8), None), None
    yield "byte order", (big_endian, None), -2
    yield "requires grad", (meta, None), None
    yield "negative bit", (negative, None), None
    yield "inference", (inference, None), None
    yield "immutable", (jnp.ones((2, 8)), None), None
    yield "immutable", (dask.array.ones((2, 8)), None), None


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("index", range(17))
def test_rejected_in_place_with_every_byte_as_it_was(index):
    match, (q, k), heads_axis = list(in_place_cases())[index]
    before = [values(x) for x in (q, k) if x is not None]
    with pytest.raises((TypeError, ValueError), match=match):
        ROPE.rotate_(q, k, 3, heads_axis=heads_axis)
    after = [values(x) for x in (q, k) if x is not None]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_out_that_overlaps_partly():
    buffer = q_array((6, 8))
    before = buffer.copy()
    for out in (buffer[1:5], buffer[2:6]):
        with pytest.raises(ValueError, match=r"out\[0\] overlaps q"):
            ROPE.rotate(buffer[:4], None, 0, heads_axis=None, out=out)
    with pytest.raises(ValueError, match=r"out\[0\] overlaps k"):
        ROPE.rotate(q_array((4, 8)), buffer[:4], 0, heads_axis=None, out=(buffer[1:5], q_array((4, 8))))
    with pytest.raises(ValueError, match=r"out\[0\] and out\[1\]"):
        ROPE.rotate(q_array((4, 8)), q_array((4, 8)), 0, heads_axis=None, out=(buffer[:4], buffer[1:5]))
    assert np.array_equal(buffer, before)
    assert ROPE.rotate(buffer, None, 0, heads_axis=None, out=buffer) is buffer


def test_no_grad_allows_in_place_and_bumps_the_version():
    x = torch.ones(2, 8, requires_grad=True)
    with torch.no_grad():
        ROPE.rotate_(x, None, 3, heads_axis=None)
    assert x._version > 0
    saved = torch.ones(2, 8, requires_grad=True)
    product = (saved.exp() * 1.0).exp()
    with torch.no_grad():
        ROPE.rotate_(product, None, 3, heads_axis=None)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()
