"""The roads that only large arrays take: stores past the caches, blocks of tokens, shared heads, many threads.

Small calls on parts of the same arrays, which tests/backends/test_against_reference.py holds to the reference, must
give the same bits.
"""

import ml_dtypes
import numpy as np
import pytest

import yarncore as yc

ROPE = yc.Rope(128, scaling=yc.YaRN(4.0, 1024))
DTYPES = [np.dtype(np.float32), np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]


@pytest.fixture(params=[1, 3])
def threads(request):
    before = yc.get_num_threads()
    yc.set_num_threads(request.param)
    yield request.param
    yc.set_num_threads(before)


def filled(shape, dtype, rng):
    few = rng.standard_normal((64, 128)).astype(dtype)
    return np.resize(few, shape)


def in_parts(rope, x, tokens_axis, heads_axis):
    """The same by calls of 50 tokens, each too small for anything but the plainest road."""
    y = np.empty_like(x)
    for first in range(0, x.shape[tokens_axis], 50):
        part = [slice(None)] * x.ndim
        part[tokens_axis] = slice(first, first + 50)
        y[tuple(part)] = rope.rotate(np.ascontiguousarray(x[tuple(part)]), None, first, heads_axis=heads_axis)
    return y


def same(a, b):
    return np.array_equal(a.view(np.uint16), b.view(np.uint16))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
@pytest.mark.parametrize("offset", [0, 16, 2], ids=lambda n: f"{n} bytes off a line")
@pytest.mark.parametrize("interleaved", [False, True])
def test_results_past_the_caches(dtype, offset, interleaved, threads, instruction_set, rng):
    rope = yc.Rope(128, interleaved=interleaved)
    tokens = 48 * 2**20 // (16 * 128 * dtype.itemsize)  # source and result are three times 32 MiB
    x = filled((tokens, 16, 128), dtype, rng)
    memory = np.zeros(x.nbytes + 128, dtype=np.uint8)
    start = -memory.ctypes.data % 64 + offset
    out = memory[start : start + x.nbytes].view(dtype).reshape(x.shape)
    rope.rotate(x, None, None, heads_axis=-2, out=out)
    rows = np.r_[0:50, tokens // 2 : tokens // 2 + 50, tokens - 50 : tokens]
    assert same(out[rows], rope.rotate(x[rows], None, rows))
    assert not memory[:start].any()
    assert not memory[start + x.nbytes :].any()


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
def test_heads_outside_of_tokens(dtype, threads, instruction_set, rng):
    """(batch, heads, seq, dim), with a number of heads and tokens that no block divides."""
    x = filled((2, 11, 1333, 128), dtype, rng)
    expected = in_parts(ROPE, x, 2, -3)
    assert same(ROPE.rotate(x, None, None, heads_axis=-3), expected)
    assert same(ROPE.rotate_(x.copy(), None, None, heads_axis=-3), expected)


def test_few_tokens_of_many_heads(threads, rng):
    x = filled((3, 6000, 128), np.dtype(np.float32), rng)
    expected = np.concatenate([ROPE.rotate(x[:, n : n + 100], None, 1000) for n in range(0, 6000, 100)], axis=1)
    assert same(ROPE.rotate(x, None, 1000), expected)


def test_a_queue_of_calls_from_several_threads(rng):
    """Each on its own array, all on the one pool."""
    from concurrent.futures import ThreadPoolExecutor

    x = filled((4000, 8, 128), np.dtype(np.float32), rng)
    expected = in_parts(ROPE, x, 0, -2)
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: ROPE.rotate(x, None, None), range(24)))
    assert all(same(y, expected) for y in results)


@pytest.mark.parametrize("shape", [(1, 1, 32, 128), (5, 3, 2), (700, 40, 128), (0, 4, 8), (2, 3, 4, 6)])
@pytest.mark.parametrize("dtype", [*DTYPES, np.dtype(np.float64), np.dtype(">f4")], ids=str)
def test_fresh_results_begin_at_a_line(shape, dtype):
    x = np.zeros(shape, dtype=dtype).swapaxes(0, 1)
    y = yc.Rope(shape[-1]).rotate(x, None, 3, heads_axis=-2)
    assert y.ctypes.data % 64 == 0
    assert (y.shape, y.dtype) == (x.shape, dtype.newbyteorder("="))
    assert y.strides == np.empty_like(x).strides or 0 in shape
