"""How often each pair turns within a length, as exactly as a ramp over it needs.

Where a ramp ends, a frequency is little more than its 1/s-th part: an error of the ramp is there multiplied by s, and
float64 would not do. So this is decimal arithmetic on the host.
"""

import decimal
import sys
from decimal import Decimal

from yarncore.frameworks.framework import Array

TWO_PI = Decimal("6.2831853071795864769252867665590057683943387987502116419498891846156")
_DIGITS = 50


def precisely() -> decimal.Context:
    """The context in which ramps are computed: `with decimal.localcontext(precisely())`."""
    return decimal.Context(prec=_DIGITS)


def log_turns_within(original_length: int, inverse_frequencies: Array) -> list[Decimal]:
    """ln(L theta_i / 2 pi) of each pair, theta a geometric progression from 1.

    The logarithm of a progression is a straight line: it is drawn through the last pair, whose rounding to float64
    counts least.
    """
    pairs = inverse_frequencies.shape[-1]
    slowest = float(inverse_frequencies[-1]) or sys.float_info.min  # not 0, which some bases round to
    slope = Decimal(slowest).ln() / max(pairs - 1, 1)
    start = (original_length / TWO_PI).ln()
    return [start + i * slope for i in range(pairs)]
