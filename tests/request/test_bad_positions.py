"""Positions that cannot be meant, and those that look wrong and are right."""

import array_api_strict
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch
from rejections import case, check_rejected, q_array

import yarncore as yc

ROPE = yc.Rope(8)
DYNAMIC = yc.Rope(8, scaling=yc.DynamicYaRN(64))


REJECTED = [
    case(
        "shape of positions",
        ValueError,
        r"positions has shape \(2, 7\), but the shape \(2, 5\)",
        lambda: ROPE.rotate(q_array(), None, np.zeros((2, 7), dtype=int)),
    ),
    case(
        "shape of positions",
        ValueError,
        "positions has shape",
        lambda: ROPE.rotate(q_array(), None, np.zeros((2, 5, 3), dtype=int)),
        "heads",
    ),
    case(
        "shape of positions",
        ValueError,
        "positions has shape",
        lambda: ROPE.rotate(np.ones((3, 8)), None, [1]),
        "no token axis",
    ),
    case("no positions", TypeError, "positions is True", lambda: ROPE.rotate(q_array(), None, True)),
    case("no positions", TypeError, "positions is required", lambda: ROPE.rotate(q_array(), None), "absent"),
    case(
        "no positions", TypeError, r"rotate\(q, None, positions\)", lambda: ROPE.rotate(q_array(), np.arange(5)), "as k"
    ),
    case("no positions", TypeError, "positions", lambda: ROPE.rotate(q_array(), np.arange(5), 0), "k integer"),
    case("no positions", TypeError, "positions", lambda: ROPE.cos_sin(None), "cos_sin"),
    case(
        "beyond 64 bits",
        ValueError,
        "positions overflow",
        lambda: ROPE.rotate(q_array(), None, 2**63 - 2, heads_axis=-2),
    ),
    case(
        "beyond 64 bits",
        ValueError,
        "positions overflow",
        lambda: ROPE.rotate(q_array(), None, -(2**63) - 1, heads_axis=-2),
        "negative",
    ),
    case(
        "beyond 64 bits",
        ValueError,
        "64 bits",
        lambda: ROPE.rotate(q_array((1, 8)), None, [2**70], heads_axis=None),
        "list",
    ),
    case(
        "beyond 64 bits",
        ValueError,
        "no integer dtype",
        lambda: ROPE.rotate(q_array((2, 8)), None, [-1, 2**63], heads_axis=None),
        "mixed list",
    ),
    *(
        case(
            "type of positions",
            TypeError,
            "positions",
            lambda p=p: ROPE.rotate(q_array((2, 8)), None, p, heads_axis=None),
            name,
        )
        for name, p in (
            ("bool", np.array([True, False])),
            ("complex", np.array([1j, 2])),
            ("str", np.array(["a", "b"])),
            ("object", np.array([1, None])),
            ("datetime", np.array(["2024-01-01", "2024-01-02"], dtype="M8[D]")),
            ("text", "0 1"),
            ("dict", {0: 1}),
            ("set", {1, 2}),
            ("list of bool", [True, False]),
            ("longdouble", np.ones(2, dtype=np.longdouble)),
        )
    ),
    *(
        case(
            "type of positions",
            ValueError,
            "positions has NaN",
            lambda p=p: ROPE.rotate(q_array((2, 8)), None, p, heads_axis=None),
            repr(p),
        )
        for p in ([1.0, np.nan], [np.inf, 1.0], [-np.inf, 1.0])
    ),
    case(
        "type of positions",
        ValueError,
        "positions is a list",
        lambda: ROPE.rotate(q_array((2, 8)), None, [[1], [1, 2]], heads_axis=None),
        "ragged",
    ),
    case(
        "positions too narrow",
        ValueError,
        "2048",
        lambda: ROPE.rotate(q_array((2, 8)), None, np.ones(2, dtype=np.float16), heads_axis=None),
    ),
    case(
        "positions too narrow",
        ValueError,
        "256",
        lambda: ROPE.rotate(q_array((2, 8)), None, np.ones(2, dtype=ml_dtypes.bfloat16), heads_axis=None),
        "bfloat16",
    ),
    case(
        "positions too narrow",
        ValueError,
        "256",
        lambda: ROPE.rotate(torch.ones(2, 8), None, torch.ones(2, dtype=torch.bfloat16), heads_axis=None),
        "torch",
    ),
    case(
        "positions from elsewhere",
        ValueError,
        "positions is on meta",
        lambda: ROPE.rotate(torch.ones(2, 8), None, torch.zeros(2, dtype=torch.int64, device="meta"), heads_axis=None),
    ),
    case(
        "positions from elsewhere",
        TypeError,
        "positions is an array of torch and q of numpy",
        lambda: ROPE.rotate(q_array((2, 8)), None, torch.zeros(2, dtype=torch.int64), heads_axis=None),
        "framework",
    ),
    case(
        "positions that require grad",
        TypeError,
        "positions requires grad",
        lambda: ROPE.rotate(torch.ones(2, 8), None, torch.zeros(2, requires_grad=True), heads_axis=None),
    ),
]


@pytest.mark.parametrize(("error", "match", "call"), REJECTED)
def test_rejected(error, match, call):
    check_rejected(error, match, call)


def test_narrow_positions_are_widened():
    x = np.tile(q_array((1, 8)), (3, 1))
    for dtype in (np.int8, np.uint8, np.int16):
        limit = np.iinfo(dtype).max
        y = ROPE.rotate(x, None, dtype(limit), heads_axis=None)
        assert np.array_equal(y, ROPE.rotate(x, None, np.arange(3) + limit, heads_axis=None))


def test_uint64_torch_positions():
    positions = torch.tensor([2**63 + 5, 1], dtype=torch.uint64)
    y = ROPE.rotate(torch.ones(2, 8), None, positions, heads_axis=None)
    assert np.array_equal(
        y,
        ROPE.rotate(np.ones((2, 8), np.float32), None, np.array([2**63 + 5, 1], dtype=np.uint64), heads_axis=None),
    )


def test_positions_in_numpy_or_a_list_beside_another_framework():
    expected = ROPE.rotate(np.ones((2, 8), np.float32), None, [4, 9], heads_axis=None)
    for x in (torch.ones(2, 8), jnp.ones((2, 8)), array_api_strict.ones((2, 8), dtype=array_api_strict.float32)):
        for positions in ([4, 9], np.array([4, 9]), (4, 9)):
            y = ROPE.rotate(x, None, positions, heads_axis=None)
            assert type(y) is type(x)
            assert np.allclose(np.asarray(y), expected, rtol=0, atol=1e-6)


def test_zero_dimensional_integers_of_every_framework_are_offsets():
    expected = ROPE.rotate(np.ones((5, 8), np.float32), None, np.arange(5) + 3, heads_axis=None)
    for x, offset in (
        (np.ones((5, 8), np.float32), np.array(3)),
        (torch.ones(5, 8), torch.tensor(3)),
        (jnp.ones((5, 8)), jnp.asarray(3)),
    ):
        assert np.allclose(np.asarray(ROPE.rotate(x, None, offset, heads_axis=None)), expected, rtol=0, atol=1e-6)


def test_jax_positions_are_never_truncated():
    x = jnp.ones((2, 8))
    for positions in ([1, 2**40], np.array([1, 2**31]), 2**31 - 1):
        with pytest.raises(ValueError, match="positions reach from"):
            ROPE.rotate(x, None, positions, heads_axis=None)
    with pytest.raises(ValueError, match="float32"):
        ROPE.rotate(x, None, [0.1, 1.0], heads_axis=None)
