"""Parameters of a Rope, and lengths."""

import dataclasses
import pickle

import numpy as np
import pytest
from rejections import case, check_rejected, q_array

import yarncore as yc

ROPE = yc.Rope(8)
DYNAMIC = yc.Rope(8, scaling=yc.DynamicYaRN(64))


REJECTED = [
    *(
        case("head_dim", e, "head_dim", lambda v=v: yc.Rope(v), repr(v))
        for v, e in (
            (7, ValueError),
            (0, ValueError),
            (-2, ValueError),
            (True, TypeError),
            (128.0, TypeError),
            ("8", TypeError),
            (None, TypeError),
        )
    ),
    *(
        case("rotary_dim", e, "rotary_dim", lambda v=v: yc.Rope(8, rotary_dim=v), repr(v))
        for v, e in (
            (0, ValueError),
            (3, ValueError),
            (10, ValueError),
            (-2, ValueError),
            (4.0, TypeError),
            (True, TypeError),
        )
    ),
    *(
        case("rotary_start", e, "rotary_start", lambda v=v: yc.Rope(8, rotary_start=v), repr(v))
        for v, e in (
            (-1, ValueError),
            (8, ValueError),
            (2.0, TypeError),
            (True, TypeError),
            (None, TypeError),
        )
    ),
    case("rotary_start", ValueError, "rotary_dim", lambda: yc.Rope(8, rotary_start=3), "an odd rest"),
    case("rotary_start", ValueError, "rotary_dim", lambda: yc.Rope(8, rotary_dim=6, rotary_start=4), "too long"),
    *(case("reversed", TypeError, "reversed", lambda v=v: yc.Rope(8, reversed=v), repr(v)) for v in (1, None, "yes")),
    *(
        case("base", e, "base", lambda v=v: yc.Rope(8, v), repr(v))
        for v, e in (
            (1, ValueError),
            (0.5, ValueError),
            (-1.0, ValueError),
            (np.nan, ValueError),
            (np.inf, ValueError),
            ("10000", TypeError),
            (True, TypeError),
            (None, TypeError),
        )
    ),
    case("base", ValueError, "base", lambda: yc.Rope(8, 10**400), "too large"),
    *(
        case("length", e, "length", lambda v=v: DYNAMIC.rotate(q_array(), None, 0, heads_axis=-2, length=v), repr(v))
        for v, e in (
            (0, ValueError),
            (-1, ValueError),
            (1.5, ValueError),
            (np.nan, ValueError),
            ("64", TypeError),
            (True, TypeError),
            ([[0], [1]], ValueError),
            ([[1.5], [2]], ValueError),
            ([["a"], ["b"]], TypeError),
            ([[1], [2], [3]], ValueError),
            ({64}, TypeError),
        )
    ),
    case(
        "length", TypeError, "length is required", lambda: DYNAMIC.rotate(q_array(), None, 0, heads_axis=-2), "absent"
    ),
    case("length", ValueError, "length", lambda: ROPE.rotate(q_array(), None, 0, heads_axis=-2, length=0), "static"),
    case("scaling", TypeError, "scaling", lambda: yc.Rope(8, scaling="yarn")),
    case("interleaved", TypeError, "interleaved", lambda: yc.Rope(8, interleaved=1)),
    *(
        case("sections", e, "sections", lambda v=v: yc.Rope(8, sections=v), repr(v))
        for v, e in (
            ((1, 2), ValueError),
            ((5, -1), ValueError),
            ((), ValueError),
            ("4", TypeError),
            ((2.0, 2.0), TypeError),
            (4, TypeError),
        )
    ),
    case("sections", ValueError, "section_order", lambda: yc.Rope(8, section_order="mixed"), "order"),
    case(
        "sections",
        ValueError,
        r"one more axis.*\(2, 2, 5\)",
        lambda: yc.Rope(8, sections=(2, 2)).rotate(q_array(), None, np.zeros((2, 5), dtype=int)),
        "positions",
    ),
]


@pytest.mark.parametrize(("error", "match", "call"), REJECTED)
def test_rejected(error, match, call):
    check_rejected(error, match, call)


def test_numpy_integers():
    assert yc.Rope(np.int64(8)) == yc.Rope(8)
    assert type(yc.Rope(np.int64(8)).head_dim) is int


def test_rotary_dim_of_the_whole_head():
    assert yc.Rope(8, rotary_dim=8) == yc.Rope(8) == yc.Rope(8, rotary_dim=None)


def test_values():
    rotation = DYNAMIC.at(100)
    assert pickle.loads(pickle.dumps(DYNAMIC)) == DYNAMIC
    assert {DYNAMIC: 1, rotation: 2}[pickle.loads(pickle.dumps(rotation))] == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        ROPE.head_dim = 4
