"""Everything a person can get wrong, by number; arrays and arguments (configurations: tests/configs/test_bad_configs.py).

Every rejection names the argument, comes before the first write, and is a TypeError or ValueError.
"""

import dataclasses
import pickle
import warnings

import array_api_strict
import dask.array
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch

import yarncore as yc

ROPE = yc.Rope(8)
DYNAMIC = yc.Rope(8, scaling=yc.DynamicYaRN(64))


def q_array(shape=(2, 5, 3, 8), dtype=np.float32):
    return np.arange(np.prod(shape), dtype=np.float64).reshape(shape).astype(dtype)


def case(number, error, match, call, name=""):
    return pytest.param(error, match, call, id=f"{number}{'-' + name if name else ''}")


class Subclass(np.ndarray):
    pass


class LyingCapsule:
    """Memory is taken from known types alone: what this would hand out is never asked for."""

    shape, dtype = (2, 8), np.dtype(np.float32)

    def __dlpack__(self, **_):
        raise AssertionError("asked for a capsule")

    def __dlpack_device__(self):
        return (1, 0)


def overlapping(shape, strides):
    return np.lib.stride_tricks.as_strided(np.zeros(64, dtype=np.float32), shape, strides)


def read_only():
    x = q_array()
    x.flags.writeable = False
    return x


def a_matrix():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(np.ones((2, 8)))


def values(x):
    return x.numpy(force=True).copy() if isinstance(x, torch.Tensor) else np.array(x)


NOT_ARRAYS = [[1.0] * 8, (1.0,) * 8, "text", None, 1.0, np.float64(1.0), {"a": 1}, object()]

REJECTED = [
    *(case(1, TypeError, "q is", lambda x=x: ROPE.rotate(x, None, 0), type(x).__name__) for x in NOT_ARRAYS),
    case(1, TypeError, "k is", lambda: ROPE.rotate(q_array(), [1.0], 0, heads_axis=-2), "k"),
    case(2, ValueError, "q has 0 dimensions; heads_axis=-3 needs at least 3", lambda: ROPE.rotate(np.array(1.0), None, 0, heads_axis=-3)),
    case(2, ValueError, "q has 1 dimension; heads_axis=-3 needs at least 3", lambda: ROPE.rotate(np.ones(8), None, 0, heads_axis=-3), "1d"),
    case(2, ValueError, "0 dimensions", lambda: ROPE.rotate(np.array(1.0), None, 0, heads_axis=None), "no heads"),
    case(3, ValueError, "head_dim=8", lambda: ROPE.rotate(q_array((2, 6)), None, 0)),
    case(3, ValueError, r"flattened.*\(\.\.\., 3, 8\)", lambda: ROPE.rotate(q_array((2, 5, 24)), None, 0, heads_axis=None), "flat"),
    case(3, ValueError, "at least rotary_dim=4", lambda: yc.Rotation([1.0, 0.5]).rotate(q_array((2, 2)), None, 0), "Rotation"),
    *(case(5, e, "head_dim", lambda v=v: yc.Rope(v), repr(v))
      for v, e in ((7, ValueError), (0, ValueError), (-2, ValueError), (True, TypeError), (128.0, TypeError), ("8", TypeError), (None, TypeError))),
    *(case(6, e, "rotary_dim", lambda v=v: yc.Rope(8, rotary_dim=v), repr(v))
      for v, e in ((0, ValueError), (3, ValueError), (10, ValueError), (-2, ValueError), (4.0, TypeError), (True, TypeError))),
    case(7, ValueError, "heads_axis=-1 is the last axis", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-1)),
    case(7, ValueError, "heads_axis=3 is the last axis", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=3), "last"),
    case(7, ValueError, "heads_axis=-5", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-5), "range"),
    case(7, ValueError, "heads_axis=7", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=7), "positive range"),
    case(7, TypeError, "heads_axis", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=True), "bool"),
    case(7, TypeError, "heads_axis", lambda: ROPE.rotate(q_array(), None, 0, heads_axis="heads"), "str"),
    case(7, ValueError, "heads_axis=-2 reads 5 tokens of 3 heads, heads_axis=-3 reads 3 tokens of 5 heads",
         lambda: ROPE.rotate(q_array(), None, None), "ambiguous"),
    case(8, ValueError, r"q has shape \(2, 5, 3, 8\) and k \(2, 4, 3, 8\)", lambda: ROPE.rotate(q_array(), q_array((2, 4, 3, 8)), 0, heads_axis=-2)),
    case(8, ValueError, "k", lambda: ROPE.rotate(q_array(), q_array((5, 3, 8)), 0, heads_axis=-2), "axes"),
    case(8, ValueError, "k has shape", lambda: ROPE.rotate(q_array(), q_array((2, 5, 3, 6)), 0, heads_axis=-2), "head_dim"),
    case(9, TypeError, "q is an array of torch and k of numpy", lambda: ROPE.rotate(torch.ones(2, 8), np.ones((2, 8)), 0)),
    case(9, ValueError, "q is on cpu and k on meta", lambda: ROPE.rotate(torch.ones(2, 8), torch.ones(2, 8, device="meta"), 0), "devices"),
    case(11, ValueError, r"positions has shape \(2, 7\), but the shape \(2, 5\)", lambda: ROPE.rotate(q_array(), None, np.zeros((2, 7), dtype=int))),
    case(11, ValueError, "positions has shape", lambda: ROPE.rotate(q_array(), None, np.zeros((2, 5, 3), dtype=int)), "heads"),
    case(11, ValueError, "positions has shape", lambda: ROPE.rotate(np.ones((3, 8)), None, [1]), "no token axis"),
    case(12, TypeError, "positions is True", lambda: ROPE.rotate(q_array(), None, True)),
    case(12, TypeError, "positions is required", lambda: ROPE.rotate(q_array(), None), "absent"),
    case(12, TypeError, r"rotate\(q, None, positions\)", lambda: ROPE.rotate(q_array(), np.arange(5)), "as k"),
    case(12, TypeError, "positions", lambda: ROPE.rotate(q_array(), np.arange(5), 0), "k integer"),
    case(12, TypeError, "positions", lambda: ROPE.cos_sin(None), "cos_sin"),
    case(14, ValueError, "positions overflow", lambda: ROPE.rotate(q_array(), None, 2**63 - 2, heads_axis=-2)),
    case(14, ValueError, "positions overflow", lambda: ROPE.rotate(q_array(), None, -(2**63) - 1, heads_axis=-2), "negative"),
    case(14, ValueError, "64 bits", lambda: ROPE.rotate(q_array((1, 8)), None, [2**70], heads_axis=None), "list"),
    case(14, ValueError, "no integer dtype", lambda: ROPE.rotate(q_array((2, 8)), None, [-1, 2**63], heads_axis=None), "mixed list"),
    *(case(16, TypeError, "positions", lambda p=p: ROPE.rotate(q_array((2, 8)), None, p, heads_axis=None), name) for name, p in (
        ("bool", np.array([True, False])), ("complex", np.array([1j, 2])), ("str", np.array(["a", "b"])), ("object", np.array([1, None])),
        ("datetime", np.array(["2024-01-01", "2024-01-02"], dtype="M8[D]")), ("text", "0 1"), ("dict", {0: 1}), ("set", {1, 2}),
        ("list of bool", [True, False]), ("longdouble", np.ones(2, dtype=np.longdouble)))),
    *(case(16, ValueError, "positions has NaN", lambda p=p: ROPE.rotate(q_array((2, 8)), None, p, heads_axis=None), repr(p)) for p in (
        [1.0, np.nan], [np.inf, 1.0], [-np.inf, 1.0])),
    case(16, ValueError, "positions is a list", lambda: ROPE.rotate(q_array((2, 8)), None, [[1], [1, 2]], heads_axis=None), "ragged"),
    case(17, ValueError, "2048", lambda: ROPE.rotate(q_array((2, 8)), None, np.ones(2, dtype=np.float16), heads_axis=None)),
    case(17, ValueError, "256", lambda: ROPE.rotate(q_array((2, 8)), None, np.ones(2, dtype=ml_dtypes.bfloat16), heads_axis=None), "bfloat16"),
    case(17, ValueError, "256", lambda: ROPE.rotate(torch.ones(2, 8), None, torch.ones(2, dtype=torch.bfloat16), heads_axis=None), "torch"),
    case(18, ValueError, "positions is on meta", lambda: ROPE.rotate(torch.ones(2, 8), None, torch.zeros(2, dtype=torch.int64, device="meta"), heads_axis=None)),
    case(18, TypeError, "positions is an array of torch and q of numpy", lambda: ROPE.rotate(q_array((2, 8)), None, torch.zeros(2, dtype=torch.int64), heads_axis=None), "framework"),
    case(19, TypeError, "positions requires grad", lambda: ROPE.rotate(torch.ones(2, 8), None, torch.zeros(2, requires_grad=True), heads_axis=None)),
    case(25, TypeError, "masked", lambda: ROPE.rotate(np.ma.ones((2, 8)), None, 0)),
    case(25, TypeError, "matrix", lambda: ROPE.rotate(a_matrix(), None, 0), "matrix"),
    case(25, TypeError, "Subclass", lambda: ROPE.rotate(np.ones((2, 8)).view(Subclass), None, 0), "subclass"),
    *(case(26, TypeError, "q has dtype", lambda d=d: ROPE.rotate(np.zeros((2, 8), dtype=d), None, 0, heads_axis=None), str(d)) for d in (
        "i4", "u1", "?", "c8", "U1", "O", "f4,f4", "M8[s]", "g", "V2")),
    case(26, TypeError, "cast it first", lambda: ROPE.rotate(np.zeros((2, 8), dtype=int), None, 0, heads_axis=None), "hint"),
    *(case(26, TypeError, "q has dtype", lambda d=d: ROPE.rotate(torch.zeros(2, 8, dtype=d), None, 0, heads_axis=None), str(d)) for d in (
        torch.int64, torch.complex64, torch.bool, torch.float8_e4m3fn)),
    case(31, TypeError, "scale", lambda: ROPE.rotate(q_array(), None, 0, scale=2)),
    case(31, TypeError, "positional", lambda: ROPE.rotate(q_array(), None, 0, -2), "positional"),
    case(31, ValueError, "native, cupy, generic", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, backend="cuda"), "backend"),
    case(50, TypeError, "q is", lambda: ROPE.rotate(LyingCapsule(), None, 0), "capsule"),
    case(31, TypeError, "backend", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, backend=1), "backend type"),
    case(31, yc.BackendUnavailable, "not on array_api_strict", lambda: ROPE.rotate(array_api_strict.ones((2, 8)), None, 0, heads_axis=None, backend="native"), "native for strict"),
    case(31, yc.BackendUnavailable, "arrays of torch, cupy, not on numpy", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, backend="cupy"), "cupy"),
    case(31, yc.BackendUnavailable, "the tensor is on meta", lambda: ROPE.rotate(torch.ones(2, 8, device="meta"), None, 0, heads_axis=None, backend="native"), "meta"),
    case(31, ValueError, "out holds 1 arrays for 2", lambda: ROPE.rotate(q_array(), q_array(), 0, heads_axis=-2, out=q_array()), "out"),
    case(31, ValueError, r"out\[0\] has shape", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, out=q_array((2, 5, 8))), "out shape"),
    case(31, ValueError, r"out\[0\] has shape", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, out=q_array(dtype=np.float64)), "out dtype"),
    case(31, TypeError, r"out\[0\]", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, out=torch.ones(2, 5, 3, 8)), "out framework"),
    case(31, ValueError, r"out\[0\] is read-only", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, out=read_only()), "out read-only"),
    case(47, TypeError, "V2", lambda: ROPE.rotate(np.zeros((2, 8), dtype="V2"), None, 0, heads_axis=None)),
    *(case(58, e, "base", lambda v=v: yc.Rope(8, v), repr(v)) for v, e in (
        (1, ValueError), (0.5, ValueError), (-1.0, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("10000", TypeError), (True, TypeError), (None, TypeError))),
    case(58, ValueError, "base", lambda: yc.Rope(8, 10**400), "too large"),
    *(case(59, e, "factor", lambda v=v, c=c: c(v), f"{c.__name__} {v!r}") for c in (
        yc.PositionInterpolation, yc.NTKAware, lambda f: yc.NTKByParts(f, 64), lambda f: yc.YaRN(f, 64), lambda f: yc.Llama3(f, 64), lambda f: yc.DynamicNTK(64, f))
      for v, e in ((0, ValueError), (-2.0, ValueError), (0.5, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("4", TypeError), (True, TypeError), (None, TypeError))),
    *(case(60, e, "original_length", lambda v=v: yc.YaRN(4, v), repr(v)) for v, e in (
        (0, ValueError), (-1, ValueError), (4096.5, ValueError), (2**53, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("4096", TypeError), (True, TypeError), (None, TypeError))),
    case(61, ValueError, r"exchanged\? beta_fast=32, beta_slow=1", lambda: yc.YaRN(4, 64, beta_fast=1, beta_slow=32)),
    case(61, ValueError, "beta_slow", lambda: yc.YaRN(4, 64, beta_slow=-1), "negative"),
    case(61, TypeError, "beta_fast", lambda: yc.YaRN(4, 64, beta_fast="32"), "str"),
    case(61, TypeError, "truncate", lambda: yc.YaRN(4, 64, truncate=1), "truncate"),
    case(61, ValueError, "ramp", lambda: yc.YaRN(4, 64, ramp="linear"), "ramp"),
    *(case(63, e, "attention_factor", lambda v=v: yc.YaRN(4, 64, attention_factor=v), repr(v)) for v, e in (
        (0, ValueError), (-1, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("1", TypeError), (True, TypeError))),
    case(63, ValueError, "mscale", lambda: yc.YaRN(4, 64, mscale=-1, mscale_all_dim=1), "mscale"),
    *(case(64, e, "factor", lambda s=s, lo=lo: yc.Rope(8, scaling=yc.LongRoPE(short_factor=s, long_factor=lo, original_length=64, factor=4)), f"{s!r}"[:20])
      for s, lo, e in (([1.0] * 3, [1.0] * 3, ValueError), ([1.0] * 4, [1.0] * 3, ValueError), ([], [], ValueError), ([0.0] * 4, [1.0] * 4, ValueError),
                       ([-1.0] * 4, [1.0] * 4, ValueError), ([np.nan] * 4, [1.0] * 4, ValueError), (["1"] * 4, [1.0] * 4, TypeError), (4.0, [1.0] * 4, TypeError))),
    *(case(65, e, "length", lambda v=v: DYNAMIC.rotate(q_array(), None, 0, heads_axis=-2, length=v), repr(v)) for v, e in (
        (0, ValueError), (-1, ValueError), (1.5, ValueError), (np.nan, ValueError), ("64", TypeError), (True, TypeError),
        ([[0], [1]], ValueError), ([[1.5], [2]], ValueError), ([["a"], ["b"]], TypeError), ([[1], [2], [3]], ValueError), ({64}, TypeError))),
    case(65, TypeError, "length is required", lambda: DYNAMIC.rotate(q_array(), None, 0, heads_axis=-2), "absent"),
    case(65, ValueError, "length", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, length=0), "static"),
    *(case(66, e, "inverse_frequencies", lambda v=v: yc.Rotation(v), repr(v)[:20]) for v, e in (
        (1.0, ValueError), ([], ValueError), ([np.nan], ValueError), ([np.inf], ValueError), (["a"], TypeError), ([1j], TypeError), (None, TypeError),
        ([1e11], ValueError), ([[1.0], [1.0, 2.0]], ValueError))),
    *(case(66, e, n, lambda v=v, n=n: yc.Rotation([1.0, 0.5], **{n: v}), f"{n} {v!r}") for n in ("attention_factor", "softmax_scale_factor")
      for v, e in ((0, ValueError), (-1, ValueError), (np.nan, ValueError), ("1", TypeError), (True, TypeError), (np.ones(3), ValueError))),
    *(case(66, e, "head_dim", lambda v=v: yc.Rotation([1.0, 0.5], head_dim=v), f"head_dim {v!r}") for v, e in ((2, ValueError), (4.0, TypeError), (True, TypeError))),
    case(66, TypeError, "interleaved", lambda: yc.Rotation([1.0], interleaved=1), "interleaved"),
    case(66, TypeError, "@", lambda: yc.Rotation([1.0]) @ 2, "matmul"),
    case(66, ValueError, "head_dim", lambda: ROPE.at().softmax_scale(0), "softmax_scale"),
    case("scaling", TypeError, "scaling", lambda: yc.Rope(8, scaling="yarn")),
    case("interleaved", TypeError, "interleaved", lambda: yc.Rope(8, interleaved=1)),
    *(case("sections", e, "sections", lambda v=v: yc.Rope(8, sections=v), repr(v)) for v, e in (
        ((1, 2), ValueError), ((5, -1), ValueError), ((), ValueError), ("4", TypeError), ((2.0, 2.0), TypeError), (4, TypeError))),
    case("sections", ValueError, "section_order", lambda: yc.Rope(8, section_order="mixed"), "order"),
    case("sections", ValueError, r"one more axis.*\(2, 2, 5\)", lambda: yc.Rope(8, sections=(2, 2)).rotate(q_array(), None, np.zeros((2, 5), dtype=int)), "positions"),
    *(case("steps", e, "steps", lambda v=v: yc.DynamicYaRN(64, steps=v), repr(v)) for v, e in (
        ("tripling", TypeError), (2.0, TypeError), ((), ValueError), ((2.0, 2.0), ValueError), ((4.0, 2.0), ValueError), ((0.5,), ValueError), (("2",), TypeError))),
    *(case(57, e, "count", lambda v=v: yc.set_num_threads(v), repr(v)) for v, e in ((0, ValueError), (-1, ValueError), ("4", TypeError), (True, TypeError), (2.0, TypeError))),
]  # fmt: skip


@pytest.mark.parametrize(("error", "match", "call"), REJECTED)
def test_rejected(error, match, call):
    with pytest.raises((TypeError, ValueError), match=match) as caught:
        call()
    assert isinstance(caught.value, error)
    assert len(str(caught.value)) < 600


def in_place_cases():
    x = q_array()
    qkv = q_array((2, 5, 6, 8))
    big_endian = q_array().astype(">f4")
    meta = torch.ones(2, 8, requires_grad=True)
    negative = torch.view_as_complex(torch.ones(2, 8, 2)).conj().imag
    with torch.inference_mode():
        inference = torch.ones(2, 8)
    yield 10, "same memory", (x, x), -2
    yield 10, "overlap", (qkv[:, :, :3], qkv[:, :, 2:5]), -2
    yield 10, "overlap", (qkv[:, :, :3], qkv[:, :, 1:4]), -2
    yield 21, "overlapping memory", (overlapping((4, 8), (0, 4)), None), None
    yield 21, "overlapping memory", (overlapping((4, 8), (4, 4)), None), None
    yield 21, "overlapping memory", (overlapping((2, 3, 8), (32, 4, 4)), None), None
    yield (
        21,
        "overlapping memory",
        (np.lib.stride_tricks.sliding_window_view(np.ones(20), 8, writeable=True), None),
        None,
    )
    yield 21, "overlapping memory", (torch.ones(8).expand(4, 8), None), None
    yield 22, "read-only", (read_only(), None), -2
    yield 22, "read-only", (q_array(), read_only()), -2
    yield 22, "read-only", (np.frombuffer(bytes(64), dtype=np.float32).reshape(2, 8), None), None
    yield 23, "byte order", (big_endian, None), -2
    yield 32, "requires grad", (meta, None), None
    yield 36, "negative bit", (negative, None), None
    yield 35, "inference", (inference, None), None
    yield 45, "immutable", (jnp.ones((2, 8)), None), None
    yield 45, "immutable", (dask.array.ones((2, 8)), None), None


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("index", range(17))
def test_rejected_in_place_with_every_byte_as_it_was(index):
    number, match, (q, k), heads_axis = list(in_place_cases())[index]
    before = [values(x) for x in (q, k) if x is not None]
    with pytest.raises((TypeError, ValueError), match=match):
        ROPE.rotate_(q, k, 3, heads_axis=heads_axis)
    after = [values(x) for x in (q, k) if x is not None]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)), number


def test_10_out_that_overlaps_partly():
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


class TestDefinedResults:
    """What looks wrong and is right."""

    @pytest.mark.parametrize("shape", [(0, 5, 3, 8), (2, 0, 3, 8), (2, 5, 0, 8), (0, 0, 0, 8)])
    @pytest.mark.parametrize(
        "make", [np.ones, torch.ones, jnp.ones, array_api_strict.ones], ids=["numpy", "torch", "jax", "strict"]
    )
    def test_4_nothing_to_rotate(self, shape, make):
        x = make(shape)
        y = ROPE.rotate(x, None, None, heads_axis=-2)
        assert tuple(y.shape) == shape
        assert y.dtype == x.dtype
        a, b = ROPE.rotate(x, x, 3, heads_axis=-2)
        assert tuple(a.shape) == tuple(b.shape) == shape
        with pytest.raises(ValueError, match="positions"):
            ROPE.rotate(x, None, np.zeros((7, 7), dtype=int))
        if make is np.ones:
            assert ROPE.rotate_(x, None, 3, heads_axis=-2) is x

    def test_5_numpy_integers(self):
        assert yc.Rope(np.int64(8)) == yc.Rope(8)
        assert type(yc.Rope(np.int64(8)).head_dim) is int

    def test_6_rotary_dim_of_the_whole_head(self):
        assert yc.Rope(8, rotary_dim=8) == yc.Rope(8) == yc.Rope(8, rotary_dim=None)

    def test_7_positive_heads_axis(self):
        x = q_array()
        assert np.array_equal(ROPE.rotate(x, None, 3, heads_axis=2), ROPE.rotate(x, None, 3, heads_axis=-2))
        assert np.array_equal(ROPE.rotate(x, None, 3, heads_axis=1), ROPE.rotate(x, None, 3, heads_axis=-3))

    def test_2_one_token(self):
        x = q_array((8,))
        assert np.array_equal(
            ROPE.rotate(x, None, 3, heads_axis=None), ROPE.rotate(x[None], None, 3, heads_axis=None)[0]
        )
        heads = q_array((3, 8))
        assert np.array_equal(ROPE.rotate(heads, None, 3), ROPE.rotate(heads[None], None, 3)[0])

    def test_8_different_heads_and_9_different_dtypes(self):
        a, b = ROPE.rotate(q_array(), q_array((2, 5, 1, 8), np.float64), None, heads_axis=-2)
        assert (a.shape, a.dtype) == ((2, 5, 3, 8), np.float32)
        assert (b.shape, b.dtype) == ((2, 5, 1, 8), np.float64)
        assert np.array_equal(b, ROPE.rotate(q_array((2, 5, 1, 8), np.float64), None, None, heads_axis=-2))

    def test_15_narrow_positions_are_widened(self):
        x = np.tile(q_array((1, 8)), (3, 1))
        for dtype in (np.int8, np.uint8, np.int16):
            limit = np.iinfo(dtype).max
            y = ROPE.rotate(x, None, dtype(limit), heads_axis=None)
            assert np.array_equal(y, ROPE.rotate(x, None, np.arange(3) + limit, heads_axis=None))

    def test_18_uint64_torch_positions(self):
        positions = torch.tensor([2**63 + 5, 1], dtype=torch.uint64)
        y = ROPE.rotate(torch.ones(2, 8), None, positions, heads_axis=None)
        assert np.array_equal(
            y,
            ROPE.rotate(np.ones((2, 8), np.float32), None, np.array([2**63 + 5, 1], dtype=np.uint64), heads_axis=None),
        )

    def test_18_positions_in_numpy_or_a_list_beside_another_framework(self):
        expected = ROPE.rotate(np.ones((2, 8), np.float32), None, [4, 9], heads_axis=None)
        for x in (torch.ones(2, 8), jnp.ones((2, 8)), array_api_strict.ones((2, 8), dtype=array_api_strict.float32)):
            for positions in ([4, 9], np.array([4, 9]), (4, 9)):
                y = ROPE.rotate(x, None, positions, heads_axis=None)
                assert type(y) is type(x)
                assert np.allclose(np.asarray(y), expected, rtol=0, atol=1e-6)

    def test_22_read_only_is_fine_out_of_place(self):
        x = read_only()
        assert np.array_equal(ROPE.rotate(x, None, 3, heads_axis=-2), ROPE.rotate(x.copy(), None, 3, heads_axis=-2))

    def test_23_foreign_byte_order_out_of_place(self):
        x = q_array()
        y = ROPE.rotate(x.astype(">f4"), None, 3, heads_axis=-2)
        assert y.dtype.isnative
        assert np.array_equal(y, ROPE.rotate(x, None, 3, heads_axis=-2))

    def test_24_fields_of_packed_structs(self):
        packed = np.zeros((2, 8), dtype=[("tag", "u1"), ("value", "f4")])
        packed["value"] = q_array((2, 8))
        expected = ROPE.rotate(q_array((2, 8)), None, 3, heads_axis=None)
        assert np.array_equal(ROPE.rotate(packed["value"], None, 3, heads_axis=None), expected)
        ROPE.rotate_(packed["value"], None, 3, heads_axis=None)
        assert np.array_equal(packed["value"], expected)
        assert not packed["tag"].any()

    def test_25_memmap(self, tmp_path):
        x = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(2, 8))
        x[...] = q_array((2, 8))
        expected = ROPE.rotate(q_array((2, 8)), None, 3, heads_axis=None)
        assert np.array_equal(ROPE.rotate(x, None, 3, heads_axis=None), expected)
        ROPE.rotate_(x, None, 3, heads_axis=None)
        assert np.array_equal(x, expected)

    def test_32_no_grad_allows_in_place_and_bumps_the_version(self):
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

    def test_36_the_negative_bit_is_resolved_out_of_place(self):
        x = torch.view_as_complex(torch.randn(2, 8, 2)).conj().imag
        assert x.is_neg()
        assert torch.equal(
            ROPE.rotate(x, None, 3, heads_axis=None), ROPE.rotate(x.resolve_neg().clone(), None, 3, heads_axis=None)
        )

    def test_47_ml_dtypes_bfloat16(self):
        x = q_array(dtype=ml_dtypes.bfloat16)
        assert ROPE.rotate(x, None, 3, heads_axis=-2).dtype == x.dtype

    def test_56_values(self):
        rotation = DYNAMIC.at(100)
        assert pickle.loads(pickle.dumps(DYNAMIC)) == DYNAMIC
        assert {DYNAMIC: 1, rotation: 2}[pickle.loads(pickle.dumps(rotation))] == 2
        with pytest.raises(dataclasses.FrozenInstanceError):
            ROPE.head_dim = 4

    def test_63_one_of_a_pair_of_mscales_warns(self):
        for one in ({"mscale": 0.5}, {"mscale_all_dim": 0.5}):
            with pytest.warns(yc.ConfigWarning, match="does nothing"):
                scaling = yc.YaRN(4, 64, **one)
            assert (
                yc.Rope(8, scaling=scaling).at().attention_factor
                == yc.Rope(8, scaling=yc.YaRN(4, 64)).at().attention_factor
            )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            zero = yc.YaRN(40, 64, mscale=0.707, mscale_all_dim=0)
        assert yc.Rope(8, scaling=zero).at().attention_factor == pytest.approx(1 + 0.0707 * np.log(40), rel=1e-15)

    def test_12_zero_dimensional_integers_of_every_framework_are_offsets(self):
        expected = ROPE.rotate(np.ones((5, 8), np.float32), None, np.arange(5) + 3, heads_axis=None)
        for x, offset in (
            (np.ones((5, 8), np.float32), np.array(3)),
            (torch.ones(5, 8), torch.tensor(3)),
            (jnp.ones((5, 8)), jnp.asarray(3)),
        ):
            assert np.allclose(np.asarray(ROPE.rotate(x, None, offset, heads_axis=None)), expected, rtol=0, atol=1e-6)

    def test_46_jax_positions_are_never_truncated(self):
        x = jnp.ones((2, 8))
        for positions in ([1, 2**40], np.array([1, 2**31]), 2**31 - 1):
            with pytest.raises(ValueError, match="positions reach from"):
                ROPE.rotate(x, None, positions, heads_axis=None)
        with pytest.raises(ValueError, match="float32"):
            ROPE.rotate(x, None, [0.1, 1.0], heads_axis=None)
