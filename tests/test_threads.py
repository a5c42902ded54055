"""How many threads."""

import pytest
from rejections import case, check_rejected

import yarncore as yc

ROPE = yc.Rope(8)
DYNAMIC = yc.Rope(8, scaling=yc.DynamicYaRN(64))


REJECTED = [
    *(
        case("count of threads", e, "count", lambda v=v: yc.set_num_threads(v), repr(v))
        for v, e in ((0, ValueError), (-1, ValueError), ("4", TypeError), (True, TypeError), (2.0, TypeError))
    ),
]


@pytest.mark.parametrize(("error", "match", "call"), REJECTED)
def test_rejected(error, match, call):
    check_rejected(error, match, call)
