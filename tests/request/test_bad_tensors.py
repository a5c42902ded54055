"""Tensors that cannot be rotated, and those that look wrong and can."""

import warnings

import array_api_strict
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch
from rejections import case, check_rejected, q_array, read_only

import yarncore as yc

ROPE = yc.Rope(8)
DYNAMIC = yc.Rope(8, scaling=yc.DynamicYaRN(64))


class Subclass(np.ndarray):
    pass


class LyingCapsule:
    """Memory is taken from known types alone: what this would hand out is never asked for."""

    shape, dtype = (2, 8), np.dtype(np.float32)

    def __dlpack__(self, **_):
        raise AssertionError("asked for a capsule")

    def __dlpack_device__(self):
        return (1, 0)


def a_matrix():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(np.ones((2, 8)))


NOT_ARRAYS = [[1.0] * 8, (1.0,) * 8, "text", None, 1.0, np.float64(1.0), {"a": 1}, object()]


REJECTED = [
    *(
        case("not an array", TypeError, "q is", lambda x=x: ROPE.rotate(x, None, 0), type(x).__name__)
        for x in NOT_ARRAYS
    ),
    case("not an array", TypeError, "k is", lambda: ROPE.rotate(q_array(), [1.0], 0, heads_axis=-2), "k"),
    case(
        "too few dimensions",
        ValueError,
        "q has 0 dimensions; heads_axis=-3 needs at least 3",
        lambda: ROPE.rotate(np.array(1.0), None, 0, heads_axis=-3),
    ),
    case(
        "too few dimensions",
        ValueError,
        "q has 1 dimension; heads_axis=-3 needs at least 3",
        lambda: ROPE.rotate(np.ones(8), None, 0, heads_axis=-3),
        "1d",
    ),
    case(
        "too few dimensions",
        ValueError,
        "0 dimensions",
        lambda: ROPE.rotate(np.array(1.0), None, 0, heads_axis=None),
        "no heads",
    ),
    case("length of the last axis", ValueError, "head_dim=8", lambda: ROPE.rotate(q_array((2, 6)), None, 0)),
    case(
        "length of the last axis",
        ValueError,
        r"flattened.*\(\.\.\., 3, 8\)",
        lambda: ROPE.rotate(q_array((2, 5, 24)), None, 0, heads_axis=None),
        "flat",
    ),
    case(
        "length of the last axis",
        ValueError,
        "at least rotary_dim=4",
        lambda: yc.Rotation([1.0, 0.5]).rotate(q_array((2, 2)), None, 0),
        "Rotation",
    ),
    case(
        "heads_axis",
        ValueError,
        "heads_axis=-1 is the last axis",
        lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-1),
    ),
    case(
        "heads_axis",
        ValueError,
        "heads_axis=3 is the last axis",
        lambda: ROPE.rotate(q_array(), None, 0, heads_axis=3),
        "last",
    ),
    case("heads_axis", ValueError, "heads_axis=-5", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-5), "range"),
    case(
        "heads_axis",
        ValueError,
        "heads_axis=7",
        lambda: ROPE.rotate(q_array(), None, 0, heads_axis=7),
        "positive range",
    ),
    case("heads_axis", TypeError, "heads_axis", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=True), "bool"),
    case("heads_axis", TypeError, "heads_axis", lambda: ROPE.rotate(q_array(), None, 0, heads_axis="heads"), "str"),
    case(
        "heads_axis",
        ValueError,
        "heads_axis=-2 reads 5 tokens of 3 heads, heads_axis=-3 reads 3 tokens of 5 heads",
        lambda: ROPE.rotate(q_array(), None, None),
        "ambiguous",
    ),
    case(
        "k beside q",
        ValueError,
        r"q has shape \(2, 5, 3, 8\) and k \(2, 4, 3, 8\)",
        lambda: ROPE.rotate(q_array(), q_array((2, 4, 3, 8)), 0, heads_axis=-2),
    ),
    case("k beside q", ValueError, "k", lambda: ROPE.rotate(q_array(), q_array((5, 3, 8)), 0, heads_axis=-2), "axes"),
    case(
        "k beside q",
        ValueError,
        "k has shape",
        lambda: ROPE.rotate(q_array(), q_array((2, 5, 3, 6)), 0, heads_axis=-2),
        "head_dim",
    ),
    case(
        "q and k from two homes",
        TypeError,
        "q is an array of torch and k of numpy",
        lambda: ROPE.rotate(torch.ones(2, 8), np.ones((2, 8)), 0),
    ),
    case(
        "q and k from two homes",
        ValueError,
        "q is on cpu and k on meta",
        lambda: ROPE.rotate(torch.ones(2, 8), torch.ones(2, 8, device="meta"), 0),
        "devices",
    ),
    case("a subclass", TypeError, "masked", lambda: ROPE.rotate(np.ma.ones((2, 8)), None, 0)),
    case("a subclass", TypeError, "matrix", lambda: ROPE.rotate(a_matrix(), None, 0), "matrix"),
    case("a subclass", TypeError, "Subclass", lambda: ROPE.rotate(np.ones((2, 8)).view(Subclass), None, 0), "subclass"),
    *(
        case(
            "dtype",
            TypeError,
            "q has dtype",
            lambda d=d: ROPE.rotate(np.zeros((2, 8), dtype=d), None, 0, heads_axis=None),
            str(d),
        )
        for d in ("i4", "u1", "?", "c8", "U1", "O", "f4,f4", "M8[s]", "g", "V2")
    ),
    case(
        "dtype",
        TypeError,
        "cast it first",
        lambda: ROPE.rotate(np.zeros((2, 8), dtype=int), None, 0, heads_axis=None),
        "hint",
    ),
    *(
        case(
            "dtype",
            TypeError,
            "q has dtype",
            lambda d=d: ROPE.rotate(torch.zeros(2, 8, dtype=d), None, 0, heads_axis=None),
            str(d),
        )
        for d in (torch.int64, torch.complex64, torch.bool, torch.float8_e4m3fn)
    ),
    case("a lying capsule", TypeError, "q is", lambda: ROPE.rotate(LyingCapsule(), None, 0), "capsule"),
    case("raw bytes", TypeError, "V2", lambda: ROPE.rotate(np.zeros((2, 8), dtype="V2"), None, 0, heads_axis=None)),
]


@pytest.mark.parametrize(("error", "match", "call"), REJECTED)
def test_rejected(error, match, call):
    check_rejected(error, match, call)


@pytest.mark.parametrize("shape", [(0, 5, 3, 8), (2, 0, 3, 8), (2, 5, 0, 8), (0, 0, 0, 8)])
@pytest.mark.parametrize(
    "make", [np.ones, torch.ones, jnp.ones, array_api_strict.ones], ids=["numpy", "torch", "jax", "strict"]
)
def test_nothing_to_rotate(shape, make):
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


def test_positive_heads_axis():
    x = q_array()
    assert np.array_equal(ROPE.rotate(x, None, 3, heads_axis=2), ROPE.rotate(x, None, 3, heads_axis=-2))
    assert np.array_equal(ROPE.rotate(x, None, 3, heads_axis=1), ROPE.rotate(x, None, 3, heads_axis=-3))


def test_one_token():
    x = q_array((8,))
    assert np.array_equal(ROPE.rotate(x, None, 3, heads_axis=None), ROPE.rotate(x[None], None, 3, heads_axis=None)[0])
    heads = q_array((3, 8))
    assert np.array_equal(ROPE.rotate(heads, None, 3), ROPE.rotate(heads[None], None, 3)[0])


def test_different_heads_and_different_dtypes():
    a, b = ROPE.rotate(q_array(), q_array((2, 5, 1, 8), np.float64), None, heads_axis=-2)
    assert (a.shape, a.dtype) == ((2, 5, 3, 8), np.float32)
    assert (b.shape, b.dtype) == ((2, 5, 1, 8), np.float64)
    assert np.array_equal(b, ROPE.rotate(q_array((2, 5, 1, 8), np.float64), None, None, heads_axis=-2))


def test_read_only_is_fine_out_of_place():
    x = read_only()
    assert np.array_equal(ROPE.rotate(x, None, 3, heads_axis=-2), ROPE.rotate(x.copy(), None, 3, heads_axis=-2))


def test_foreign_byte_order_out_of_place():
    x = q_array()
    y = ROPE.rotate(x.astype(">f4"), None, 3, heads_axis=-2)
    assert y.dtype.isnative
    assert np.array_equal(y, ROPE.rotate(x, None, 3, heads_axis=-2))


def test_fields_of_packed_structs():
    packed = np.zeros((2, 8), dtype=[("tag", "u1"), ("value", "f4")])
    packed["value"] = q_array((2, 8))
    expected = ROPE.rotate(q_array((2, 8)), None, 3, heads_axis=None)
    assert np.array_equal(ROPE.rotate(packed["value"], None, 3, heads_axis=None), expected)
    ROPE.rotate_(packed["value"], None, 3, heads_axis=None)
    assert np.array_equal(packed["value"], expected)
    assert not packed["tag"].any()


def test_memmap(tmp_path):
    x = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(2, 8))
    x[...] = q_array((2, 8))
    expected = ROPE.rotate(q_array((2, 8)), None, 3, heads_axis=None)
    assert np.array_equal(ROPE.rotate(x, None, 3, heads_axis=None), expected)
    ROPE.rotate_(x, None, 3, heads_axis=None)
    assert np.array_equal(x, expected)


def test_the_negative_bit_is_resolved_out_of_place():
    x = torch.view_as_complex(torch.randn(2, 8, 2)).conj().imag
    assert x.is_neg()
    assert torch.equal(
        ROPE.rotate(x, None, 3, heads_axis=None), ROPE.rotate(x.resolve_neg().clone(), None, 3, heads_axis=None)
    )


def test_ml_dtypes_bfloat16():
    x = q_array(dtype=ml_dtypes.bfloat16)
    assert ROPE.rotate(x, None, 3, heads_axis=-2).dtype == x.dtype
