"""Radians per token <-> fixed-point turns, exactly.

A frequency theta becomes F = round(theta / 2 pi * 2^128), a signed integer of 160 bits: 128 of fraction, and an
integer part that only fractional positions need. It travels as five uint32 words, the least first. Position times F
modulo one turn is then integer arithmetic: no phase is ever rounded.
"""

import functools
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

WORDS = 5
FRACTION_BITS = 128
_BITS = 32 * WORDS

# 2 pi to 1344 bits after the point: enough for the product with any double and for division by it.
_PI_BITS = 1344


@functools.cache
def _two_pi() -> int:
    """2 pi * 2^_PI_BITS by Machin's formula, 16 atan(1/5) - 4 atan(1/239) = pi, in integers."""
    one = 1 << (_PI_BITS + 64)

    def arctangent_of_inverse(n: int) -> int:
        power = one // n
        total, k, sign = power, 1, 1
        while power:
            power //= n * n
            k += 2
            sign = -sign
            total += sign * (power // k)
        return total

    return (2 * (16 * arctangent_of_inverse(5) - 4 * arctangent_of_inverse(239))) >> 64


def turns_of(theta: float) -> int:
    """round(theta / 2 pi * 2^128) of the float64 theta, in integers throughout."""
    numerator, denominator = theta.as_integer_ratio()
    scaled = abs(numerator) << (FRACTION_BITS + _PI_BITS)
    turns = (2 * scaled + denominator * _two_pi()) // (2 * denominator * _two_pi())
    return -turns if numerator < 0 else turns


def inverse_of_two_pi(bits: int) -> int:
    """floor(2^bits / 2 pi), for bits well below _PI_BITS."""
    return (1 << (bits + _PI_BITS)) // _two_pi()


def radians_of(turns: int) -> float:
    """The float64 nearest to turns * 2 pi / 2^128 (Python divides integers with one rounding)."""
    return turns * _two_pi() / (1 << (FRACTION_BITS + _PI_BITS))


def words_of(turns: Iterable[int]) -> npt.NDArray[np.uint32]:
    """Signed turns as words, shape (5, pairs)."""
    as_bytes = b"".join((value % (1 << _BITS)).to_bytes(4 * WORDS, "little") for value in turns)
    return np.frombuffer(as_bytes, dtype="<u4").astype(np.uint32).reshape(-1, WORDS).T


def integers_of(words: npt.NDArray[np.uint32]) -> list[int]:
    """The signed turns of words of shape (5, pairs)."""
    values = (int.from_bytes(column.tobytes(), "little") for column in words.T.astype("<u4"))
    return [value - (1 << _BITS) if value >> (_BITS - 1) else value for value in values]
