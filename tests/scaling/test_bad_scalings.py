"""Parameters of scalings."""

import warnings

import numpy as np
import pytest
from rejections import case, check_rejected

import yarncore as yc

ROPE = yc.Rope(8)
DYNAMIC = yc.Rope(8, scaling=yc.DynamicYaRN(64))


REJECTED = [
    *(
        case("factor", e, "factor", lambda v=v, c=c: c(v), f"{c.__name__} {v!r}")
        for c in (
            yc.PositionInterpolation,
            yc.NTKAware,
            lambda f: yc.NTKByParts(f, 64),
            lambda f: yc.YaRN(f, 64),
            lambda f: yc.Llama3(f, 64),
            lambda f: yc.DynamicNTK(64, f),
        )
        for v, e in (
            (0, ValueError),
            (-2.0, ValueError),
            (0.5, ValueError),
            (np.nan, ValueError),
            (np.inf, ValueError),
            ("4", TypeError),
            (True, TypeError),
            (None, TypeError),
        )
    ),
    *(
        case("original_length", e, "original_length", lambda v=v: yc.YaRN(4, v), repr(v))
        for v, e in (
            (0, ValueError),
            (-1, ValueError),
            (4096.5, ValueError),
            (2**53, ValueError),
            (np.nan, ValueError),
            (np.inf, ValueError),
            ("4096", TypeError),
            (True, TypeError),
            (None, TypeError),
        )
    ),
    case(
        "betas and ramp",
        ValueError,
        r"exchanged\? beta_fast=32, beta_slow=1",
        lambda: yc.YaRN(4, 64, beta_fast=1, beta_slow=32),
    ),
    case("betas and ramp", ValueError, "beta_slow", lambda: yc.YaRN(4, 64, beta_slow=-1), "negative"),
    case("betas and ramp", TypeError, "beta_fast", lambda: yc.YaRN(4, 64, beta_fast="32"), "str"),
    case("betas and ramp", TypeError, "truncate", lambda: yc.YaRN(4, 64, truncate=1), "truncate"),
    case("betas and ramp", ValueError, "ramp", lambda: yc.YaRN(4, 64, ramp="linear"), "ramp"),
    *(
        case("attention factor", e, "attention_factor", lambda v=v: yc.YaRN(4, 64, attention_factor=v), repr(v))
        for v, e in (
            (0, ValueError),
            (-1, ValueError),
            (np.nan, ValueError),
            (np.inf, ValueError),
            ("1", TypeError),
            (True, TypeError),
        )
    ),
    case("attention factor", ValueError, "mscale", lambda: yc.YaRN(4, 64, mscale=-1, mscale_all_dim=1), "mscale"),
    *(
        case(
            "LongRoPE's factors",
            e,
            "factor",
            lambda s=s, lo=lo: yc.Rope(
                8, scaling=yc.LongRoPE(short_factor=s, long_factor=lo, original_length=64, factor=4)
            ),
            f"{s!r}"[:20],
        )
        for s, lo, e in (
            ([1.0] * 3, [1.0] * 3, ValueError),
            ([1.0] * 4, [1.0] * 3, ValueError),
            ([], [], ValueError),
            ([0.0] * 4, [1.0] * 4, ValueError),
            ([-1.0] * 4, [1.0] * 4, ValueError),
            ([np.nan] * 4, [1.0] * 4, ValueError),
            (["1"] * 4, [1.0] * 4, TypeError),
            (4.0, [1.0] * 4, TypeError),
        )
    ),
    *(
        case("steps", e, "steps", lambda v=v: yc.DynamicYaRN(64, steps=v), repr(v))
        for v, e in (
            ("tripling", TypeError),
            (2.0, TypeError),
            ((), ValueError),
            ((2.0, 2.0), ValueError),
            ((4.0, 2.0), ValueError),
            ((0.5,), ValueError),
            (("2",), TypeError),
        )
    ),
]


@pytest.mark.parametrize(("error", "match", "call"), REJECTED)
def test_rejected(error, match, call):
    check_rejected(error, match, call)


def test_one_of_a_pair_of_mscales_warns():
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
