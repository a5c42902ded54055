"""Numbers that make no Rotation."""

import numpy as np
import pytest
from rejections import case, check_rejected

import yarncore as yc

ROPE = yc.Rope(8)
DYNAMIC = yc.Rope(8, scaling=yc.DynamicYaRN(64))


REJECTED = [
    *(
        case("numbers", e, "inverse_frequencies", lambda v=v: yc.Rotation(v), repr(v)[:20])
        for v, e in (
            (1.0, ValueError),
            ([], ValueError),
            ([np.nan], ValueError),
            ([np.inf], ValueError),
            (["a"], TypeError),
            ([1j], TypeError),
            (None, TypeError),
            ([1e11], ValueError),
            ([[1.0], [1.0, 2.0]], ValueError),
        )
    ),
    *(
        case("numbers", e, n, lambda v=v, n=n: yc.Rotation([1.0, 0.5], **{n: v}), f"{n} {v!r}")
        for n in ("attention_factor", "softmax_scale_factor")
        for v, e in (
            (0, ValueError),
            (-1, ValueError),
            (np.nan, ValueError),
            ("1", TypeError),
            (True, TypeError),
            (np.ones(3), ValueError),
        )
    ),
    *(
        case("numbers", e, "head_dim", lambda v=v: yc.Rotation([1.0, 0.5], head_dim=v), f"head_dim {v!r}")
        for v, e in ((2, ValueError), (4.0, TypeError), (True, TypeError))
    ),
    *(
        case("numbers", e, "rotary_start", lambda v=v: yc.Rotation([1.0], rotary_start=v), f"rotary_start {v!r}")
        for v, e in ((-1, ValueError), (1.0, TypeError), (True, TypeError), (None, TypeError))
    ),
    case("numbers", ValueError, "head_dim", lambda: yc.Rotation([1.0], head_dim=4, rotary_start=3), "slice beyond"),
    case("numbers", TypeError, "interleaved", lambda: yc.Rotation([1.0], interleaved=1), "interleaved"),
    case("numbers", TypeError, "@", lambda: yc.Rotation([1.0]) @ 2, "matmul"),
    case("numbers", ValueError, "head_dim", lambda: ROPE.at().softmax_scale(0), "softmax_scale"),
]


@pytest.mark.parametrize(("error", "match", "call"), REJECTED)
def test_rejected(error, match, call):
    check_rejected(error, match, call)
