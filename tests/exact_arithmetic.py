"""cos and sin in as many digits as it takes, and distances in units of the last place."""

import mpmath
import numpy as np


def exact_cos_sin(theta, position, bits=400):
    """cos and sin of position * theta; both are taken at their exact binary values."""
    with mpmath.workprec(bits):
        angle = mpmath.mpf(theta) * mpmath.mpf(position)
        return mpmath.cos(angle), mpmath.sin(angle)


def ulps(value, exact, dtype=np.float32):
    """|value - exact| in units of the last place of `dtype` at the exact value."""
    with mpmath.workprec(400):
        magnitude = abs(exact)
        if magnitude == 0:
            return 0.0 if value == 0 else float("inf")
        exponent = int(mpmath.floor(mpmath.log(magnitude, 2)))
        info = np.finfo(dtype)
        unit = mpmath.mpf(2) ** (max(exponent, info.minexp) - info.nmant)
        return float(abs(mpmath.mpf(float(value)) - exact) / unit)


def hardest_positions(theta, below):
    """Positions near which position * theta is almost a multiple of a quarter turn: the convergents and
    semiconvergents of the continued fractions of turns, half turns and quarter turns a token."""
    found = set()
    with mpmath.workprec(400):
        for parts in (1, 2, 4):
            rest = mpmath.mpf(theta) * parts / (2 * mpmath.pi)
            previous, current = 1, 0
            while True:
                digit = int(mpmath.floor(rest))
                most = digit if current == 0 else min(digit, (below - previous) // current)
                for m in {1, 2, digit // 2, digit // 2 + 1, digit - 1, digit, most - 1, most} | set(
                    range(max(digit // 2, 1), min(digit // 2 + 8, digit))
                ):
                    candidate = m * current + previous
                    if 1 <= m <= digit and 0 < candidate < below:
                        found.add(candidate)
                previous, current = current, digit * current + previous
                fraction = rest - digit
                if current >= below or fraction < mpmath.mpf(2) ** -300:
                    break
                rest = 1 / fraction
    return sorted(found)
