"""The GPU's kernel, every block and thread of it on the host, against the CPU's kernel and in words of its own."""

import itertools
import subprocess
import sys
from pathlib import Path

import host_kernel
import ml_dtypes
import numpy as np
import pytest

import yarncore as yc

DTYPES = {"float32": np.float32, "bfloat16": ml_dtypes.bfloat16, "float16": np.float16}
STATIC = yc.Rope(64, scaling=yc.YaRN(4.0, 64)).at()
STEPPED = yc.Rope(64, scaling=yc.DynamicYaRN(64, steps="doubling"))


def same(y, expected):
    assert y.dtype == expected.dtype
    assert np.array_equal(y.view(np.uint8), expected.view(np.uint8))


def array(rng, *shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(np.float32).astype(dtype)


def surrounded(rng, shape, dtype, offset, room=64):
    """An array inside of a buffer that nothing may change, `offset` elements from where it would be aligned."""
    size = int(np.prod(shape))
    buffer = array(rng, size + 2 * room, dtype=dtype)
    start = room + offset + (-buffer.ctypes.data // buffer.itemsize) % (16 // buffer.itemsize)
    return buffer, buffer[start : start + size].reshape(shape), (start, start + size)


@pytest.mark.parametrize("compiler", host_kernel.available_compilers())
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("interleaved", [False, True])
def test_the_bits_of_the_cpu_over_layouts_widths_and_tails(name, interleaved, compiler, rng):
    dtype, widths = DTYPES[name], set()
    for (start, pairs, rest), offset, in_place in itertools.product(
        ((0, 64, 0), (0, 32, 64), (0, 40, 16), (0, 12, 8), (0, 10, 4), (0, 6, 3), (0, 5, 1), (0, 1, 0), (64, 32, 0),
         (8, 12, 4), (3, 5, 2)), (0, 2, 1), (False, True)
    ):  # fmt: skip
        dim = start + 2 * pairs + rest
        rotation = yc.Rotation(
            1e4 ** -np.linspace(0, 1, pairs), 1.1, head_dim=dim, interleaved=interleaved, rotary_start=start
        )
        for q_shape, k_shape, axis in (
            ((2, 3, 5, -1), (2, 3, 2, -1), -2),
            ((2, 5, 3, -1), (2, 2, 3, -1), -3),
            ((7, -1), None, None),
        ):
            buffer, q, (start, end) = surrounded(rng, (*q_shape[:-1], dim), dtype, offset)
            k = None if k_shape is None else array(rng, *k_shape[:-1], dim, dtype=dtype)
            tokens = (7,) if axis is None else (2, 3)
            positions = rng.integers(-(2**40), 2**40, tokens)
            expected = rotation.rotate(q.copy(), None if k is None else k.copy(), positions, heads_axis=axis)
            before = buffer.copy()
            results, plan = host_kernel.rotate(
                rotation, q, k, positions, heads_axis=axis, in_place=in_place, compiler=compiler
            )
            for y, e in zip(results, [expected] if k is None else expected, strict=True):
                same(y, e)
            same(buffer[:start], before[:start])
            same(buffer[end:], before[end:])
            widths.add(plan[0].access_bytes)
            assert len(plan) == 1  # q and k in one launch
    assert widths == {16, 8, 4, 2} - ({2} if name == "float32" else set())


def test_strides_of_every_kind(rng):
    fused = array(rng, 2, 6, 14, 64)
    big = array(rng, 2, 4, 12, 128)
    cases = [
        (fused[:, :, :8], fused[:, :, 8:10], -2),
        (fused.transpose(0, 2, 1, 3)[:, :8], fused.transpose(0, 2, 1, 3)[:, 8:10], -3),
        (big[..., ::2], big[:, :2, :, 1::2], -3),  # elements apart
        (big[:, ::-1, ::2, :64], big[:, ::-2, ::2, 64:], -3),  # negative strides
        (array(rng, 1, 3, 1, 5, 2, 64).transpose(1, 0, 2, 4, 3, 5), None, -2),
    ]
    for q, k, axis in cases:
        tokens = q.shape[:-1][: len(q.shape) + axis] + q.shape[:-1][len(q.shape) + axis + 1 :]
        positions = rng.integers(0, 10**6, tokens)
        expected = STATIC.rotate(q.copy(), None if k is None else k.copy(), positions, heads_axis=axis)
        results, _ = host_kernel.rotate(STATIC, q, k, positions, heads_axis=axis)
        for y, e in zip(results, [expected] if k is None else expected, strict=True):
            same(y, e)
        host_kernel.rotate(STATIC, q, k, positions, heads_axis=axis, in_place=True)
        for x, e in zip((q, k), [expected] if k is None else expected, strict=False):
            assert np.array_equal(x, e)


@pytest.mark.parametrize("multiprocessors", [1, 3, 40, 500])
def test_any_number_of_multiprocessors_gives_the_same_bits(multiprocessors, rng):
    for tokens in (1, 2, 7, 33, 700):
        q, k = array(rng, tokens, 40, 64, dtype=ml_dtypes.bfloat16), array(rng, tokens, 3, 64, dtype=ml_dtypes.bfloat16)
        results, plan = host_kernel.rotate(STATIC, q, k, 2**33, heads_axis=-2, multiprocessors=multiprocessors)
        for y, e in zip(results, STATIC.rotate(q, k, 2**33, heads_axis=-2), strict=True):
            same(y, e)
        assert 0 < plan[0].grid <= plan[0].blocks
        if tokens < multiprocessors:  # heads are split over blocks
            assert plan[0].blocks >= min(multiprocessors, tokens * 2)


POSITIONS = {
    "one": 5, "counted": None, "negative": -7, "far": 2**62, "int32": np.arange(12, dtype=np.int32).reshape(2, 6) - 5,
    "int64": np.arange(12).reshape(2, 6) * 2**35, "int8": np.arange(6, dtype=np.int8), "uint16": np.arange(6, dtype=np.uint16),
    "of rows": np.array([[3], [2**31]]), "of all": np.array([9]), "origin": np.zeros((2, 6), dtype=np.int32),
}  # fmt: skip


@pytest.mark.parametrize("name", POSITIONS)
@pytest.mark.parametrize("turned", ["as it is", "inverse", "adjoint", "plain"])
def test_positions(name, turned, rng):
    q, k = array(rng, 2, 6, 4, 64, dtype=np.float16), array(rng, 2, 6, 2, 64, dtype=np.float16)
    q[0, 0, 0, :4] = [np.nan, np.inf, -0.0, 6e-8]
    rotation = {"inverse": STATIC.inverse, "adjoint": STATIC.adjoint, "plain": yc.Rope(64).at()}.get(turned, STATIC)
    expected = rotation.rotate(q, k, POSITIONS[name], heads_axis=-2)
    results, _ = host_kernel.rotate(rotation, q, k, POSITIONS[name], heads_axis=-2)
    for y, e in zip(results, expected, strict=True):
        assert np.array_equal(y, e, equal_nan=True)


def test_rows_of_a_table(rng):
    q = array(rng, 4, 5, 3, 64)
    for lengths in ([[64], [65], [1000], [10**6]], rng.integers(1, 10**5, (4, 5))):
        rotation = STEPPED.at(lengths)
        results, _ = host_kernel.rotate(rotation, q, None, 7, heads_axis=-2)
        same(results[0], rotation.rotate(q, None, 7, heads_axis=-2))
    wide = yc.Rope(512, scaling=yc.YaRN(4.0, 64)).at()  # more pairs than go by value
    q = array(rng, 3, 2, 512)
    same(host_kernel.rotate(wide, q, None, 3)[0][0], wide.rotate(q, None, 3))


def test_sections(rng):
    rotation = yc.Rope(64, sections=(16, 8, 8)).at()
    q = array(rng, 2, 5, 3, 64)
    positions = rng.integers(-100, 10**6, (3, 2, 5))
    positions[:, 0, 0] = 0
    same(
        host_kernel.rotate(rotation, q, None, positions, heads_axis=-2)[0][0],
        rotation.rotate(q, None, positions, heads_axis=-2),
    )


def test_cached_keys_turned_anew_and_shifted_in_blocks_and_slots(rng):
    old, new = STEPPED.at(100), STEPPED.at(1000)
    turn = new @ old.inverse
    keys = array(rng, 6, 4, 2, 64, dtype=ml_dtypes.bfloat16)  # blocks of 4 tokens
    slots, positions = rng.permutation(24)[:11], rng.integers(0, 999, 11)
    slots[3] = -1
    expected = keys.copy()
    yc.rerotate_(expected, positions, old, new, slots=slots)
    host_kernel.rotate(turn, keys, None, positions, heads_axis=-2, in_place=True, slots=slots)
    same(keys, expected)
    moved = keys.copy()
    yc.shift_(moved, -5, new)
    host_kernel.rotate(new.without_factor(), keys, None, np.array([-5]), heads_axis=-2, in_place=True)
    same(keys, moved)
    whole = array(rng, 2, 9, 2, 64)
    expected = whole.copy()
    yc.rerotate_(expected, np.arange(9), old, new, heads_axis=-2)
    host_kernel.rotate(turn, whole, None, np.arange(9), heads_axis=-2, in_place=True)
    same(whole, expected)


def test_into_another_array_with_other_strides(rng):
    q = array(rng, 3, 4, 64)
    cache = array(rng, 4, 10, 64)
    before = cache.copy()
    target = cache.transpose(1, 0, 2)[2:5]
    host_kernel.rotate(STATIC, q, None, 8, heads_axis=-2, out=target)
    same(np.ascontiguousarray(target), STATIC.rotate(q, None, 8, heads_axis=-2))
    same(cache[:, :2], before[:, :2])
    same(cache[:, 5:], before[:, 5:])


def test_different_types_and_nothing_to_do(rng):
    q, k = array(rng, 5, 4, 64), array(rng, 5, 2, 64, dtype=np.float16)
    results, plan = host_kernel.rotate(STATIC, q, k, 8, heads_axis=-2)
    assert len(plan) == 2
    for y, e in zip(results, STATIC.rotate(q, k, 8, heads_axis=-2), strict=True):
        same(y, e)
    for shape in ((0, 4, 64), (5, 0, 64)):
        assert host_kernel.rotate(STATIC, array(rng, *shape), None, 8, heads_axis=-2)[1] == []
    results, plan = host_kernel.rotate(STATIC, q, array(rng, 5, 0, 64), 8, heads_axis=-2)
    same(results[0], STATIC.rotate(q, None, 8, heads_axis=-2))


@pytest.mark.parametrize("compiler", host_kernel.available_compilers())
def test_conversions_of_elements(compiler, rng):
    library = host_kernel.library(compiler)
    bits = np.concatenate([
        rng.integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32), np.arange(2**16, dtype=np.uint32),
        (np.arange(2**16, dtype=np.uint32) << 16), np.arange(0x33000000, 0x39000000, 997, dtype=np.uint32),
        np.float32([65519.99, 65520, -65520, 2**-25, 2**-24, 2**-14, np.inf, -np.inf]).view(np.uint32),
        np.uint32([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0xFF800001]),
    ])  # fmt: skip
    for name, dtype in (("bfloat16", ml_dtypes.bfloat16), ("float16", np.float16)):
        to, back = np.empty(bits.size, np.uint16), np.empty(bits.size, np.float32)
        library.convert(name.encode(), bits.ctypes, to.ctypes, back.ctypes, bits.size)
        with np.errstate(over="ignore", invalid="ignore"):
            expected = bits.view(np.float32).astype(dtype).astype(np.float32)
        assert np.array_equal(to.view(dtype).astype(np.float32), expected, equal_nan=True)  # NaN stays NaN
        numbers = ~np.isnan(expected)
        assert np.array_equal(np.signbit(to.view(dtype).astype(np.float32))[numbers], np.signbit(expected)[numbers])
        assert np.array_equal(back, bits.astype(np.uint16).view(dtype).astype(np.float32), equal_nan=True)


GUARDED = """
import sys
sys.path[:0] = sys.argv[1:]
import ml_dtypes, numpy as np, yarncore as yc, host_kernel
from guarded_memory import GuardedMemory
at_the_edge = GuardedMemory(8).at_the_edge
cases = 0
for dtype in map(np.dtype, (np.float32, np.float16, ml_dtypes.bfloat16)):
    for pairs in (*range(1, 18), 20, 32, 48, 64):
        for interleaved in (False, True):
            for start, rest in ((0, 0), (0, 1), (0, 3), (0, 8), (8, 0), (3, 2)):
                dim = start + 2 * pairs + rest
                rotation = yc.Rotation(np.full(pairs, 0.1), head_dim=dim, interleaved=interleaved, rotary_start=start)
                shape = (3, 2, dim)
                ones = np.ones(shape, dtype)
                expected = rotation.rotate(ones, None, 5)
                for end in (False, True):
                    x = at_the_edge(shape, dtype, end)
                    x[...] = 1
                    (y,), _ = host_kernel.rotate(rotation, x, None, 5)
                    host_kernel.rotate(rotation, x, None, 5, in_place=True)
                    out = at_the_edge(shape, dtype, end)
                    assert y.tobytes() == x.tobytes() == expected.tobytes()
                    host_kernel.rotate(rotation, ones, None, 5, out=out)
                    assert out.tobytes() == expected.tobytes()
                    cases += 1
print(cases)
"""


def test_no_thread_reads_or_writes_outside_of_the_arrays():
    run = subprocess.run(
        [sys.executable, "-c", GUARDED, *map(str, Path(__file__).parents[:2])],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 900
