"""Arguments that say where results go, and by which backend."""

import array_api_strict
import numpy as np
import pytest
import torch
from rejections import case, check_rejected, q_array, read_only

import yarncore as yc

ROPE = yc.Rope(8)
DYNAMIC = yc.Rope(8, scaling=yc.DynamicYaRN(64))


REJECTED = [
    case("argument", TypeError, "scale", lambda: ROPE.rotate(q_array(), None, 0, scale=2)),
    case("argument", TypeError, "positional", lambda: ROPE.rotate(q_array(), None, 0, -2), "positional"),
    case(
        "argument",
        ValueError,
        "native, cupy, generic",
        lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, backend="cuda"),
        "backend",
    ),
    case(
        "argument",
        TypeError,
        "backend",
        lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, backend=1),
        "backend type",
    ),
    case(
        "argument",
        yc.BackendUnavailable,
        "not on array_api_strict",
        lambda: ROPE.rotate(array_api_strict.ones((2, 8)), None, 0, heads_axis=None, backend="native"),
        "native for strict",
    ),
    case(
        "argument",
        yc.BackendUnavailable,
        "arrays of torch, cupy, not on numpy",
        lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, backend="cupy"),
        "cupy",
    ),
    case(
        "argument",
        yc.BackendUnavailable,
        "the tensor is on meta",
        lambda: ROPE.rotate(torch.ones(2, 8, device="meta"), None, 0, heads_axis=None, backend="native"),
        "meta",
    ),
    case(
        "argument",
        ValueError,
        "out holds 1 arrays for 2",
        lambda: ROPE.rotate(q_array(), q_array(), 0, heads_axis=-2, out=q_array()),
        "out",
    ),
    case(
        "argument",
        ValueError,
        r"out\[0\] has shape",
        lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, out=q_array((2, 5, 8))),
        "out shape",
    ),
    case(
        "argument",
        ValueError,
        r"out\[0\] has shape",
        lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, out=q_array(dtype=np.float64)),
        "out dtype",
    ),
    case(
        "argument",
        TypeError,
        r"out\[0\]",
        lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, out=torch.ones(2, 5, 3, 8)),
        "out framework",
    ),
    case(
        "argument",
        ValueError,
        r"out\[0\] is read-only",
        lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, out=read_only()),
        "out read-only",
    ),
]


@pytest.mark.parametrize(("error", "match", "call"), REJECTED)
def test_rejected(error, match, call):
    check_rejected(error, match, call)
