"""Radians per token <-> fixed-point turns, exactly.

A frequency theta becomes F = round(theta / 2 pi * 2^128), a signed integer of 160 bits: 128 of fraction, and an
integer part that only fractional positions need. It travels as five uint32 words, the least first. Position times F
modulo one turn is then integer arithmetic: no phase is ever rounded.
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.namespaces import Array, Namespace, constant, extents_may_be_compared, has_64_bits, widest_float

WORDS = 5
_FRACTION_BITS = 128
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
    scaled = abs(numerator) << (_FRACTION_BITS + _PI_BITS)
    turns = (2 * scaled + denominator * _two_pi()) // (2 * denominator * _two_pi())
    return -turns if numerator < 0 else turns


def radians_of(turns: int) -> float:
    """The float64 nearest to turns * 2 pi / 2^128 (Python divides integers with one rounding)."""
    return turns * _two_pi() / (1 << (_FRACTION_BITS + _PI_BITS))


def words_of(turns: Iterable[int]) -> npt.NDArray[np.uint32]:
    """Signed turns as words, shape (5, pairs)."""
    as_bytes = b"".join((value % (1 << _BITS)).to_bytes(4 * WORDS, "little") for value in turns)
    return np.frombuffer(as_bytes, dtype="<u4").astype(np.uint32).reshape(-1, WORDS).T


def integers_of(words: npt.NDArray[np.uint32]) -> list[int]:
    """The signed turns of words of shape (5, pairs)."""
    values = (int.from_bytes(column.tobytes(), "little") for column in words.T.astype("<u4"))
    return [value - (1 << _BITS) if value >> (_BITS - 1) else value for value in values]


def words_of_frequencies(theta: npt.NDArray[np.float64]) -> npt.NDArray[np.uint32]:
    """Turns of inverse frequencies (radians per token), shape (rows, pairs) -> (rows, 5, pairs).

    Raises
    ------
    ValueError
        Where one is not finite, or turns 2^31 times or more a token.
    """
    limit = 2 * math.pi * (2**31 - 1)
    if not np.all(np.abs(theta) < limit):
        raise ValueError(f"inverse_frequencies must be finite and below {limit:.3g} radians per token in magnitude")
    return np.stack([words_of(map(turns_of, row.tolist())) for row in theta])


@dataclass(frozen=True, eq=False, slots=True)
class TurnsTable:
    """One or several rows of turns with their attention factors, on the host and immutable.

    Attributes
    ----------
    words : uint32 array, shape (rows, 5, pairs), read-only
    factors : tuple of Fraction
        Attention factor of each row, exact: a rotation and its inverse compose to exactly 1.
    text : str
        All of it in letters, which a traced graph can hold.
    """

    words: npt.NDArray[np.uint32]
    factors: tuple[Fraction, ...]
    words_int64: npt.NDArray[np.int64] = field(init=False)
    factors_float64: npt.NDArray[np.float64] = field(init=False)
    rows: int = field(init=False)
    pairs: int = field(init=False)
    text: str = field(init=False)
    native: Any = field(init=False, default=None)  # the extension's own copy, made when it is first needed
    on_devices: dict[Any, Any] = field(init=False, default_factory=dict)  # copies on GPUs, likewise

    def __post_init__(self) -> None:
        words = np.ascontiguousarray(self.words, dtype=np.uint32)
        object.__setattr__(self, "rows", int(words.shape[0]))
        object.__setattr__(self, "pairs", int(words.shape[2]))
        factors = " ".join(map(str, self.factors))
        object.__setattr__(self, "text", f"{factors}|{words.astype('<u4').tobytes().hex()}")
        arrays: dict[str, npt.NDArray[Any]] = {
            "words": words,
            "words_int64": words.astype(np.int64),
            "factors_float64": np.array([float(factor) for factor in self.factors]),
        }
        for name, array in arrays.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __reduce__(self) -> tuple[Any, ...]:
        return TurnsTable, (self.words, self.factors)

    @classmethod
    def of_text(cls, text: str) -> "TurnsTable":
        """The table that a text came from."""
        factors, words = text.split("|")
        fractions = tuple(map(Fraction, factors.split(" ")))
        return cls(np.frombuffer(bytes.fromhex(words), "<u4").reshape(len(fractions), WORDS, -1), fractions)

    def inverse_frequencies(self) -> npt.NDArray[np.float64]:
        """The float64 view of the turns, radians per token, shape (rows, pairs)."""
        return np.array([[radians_of(turns) for turns in integers_of(row)] for row in self.words])


@dataclass(frozen=True, eq=False, slots=True)
class TracedTurns:
    """Turns whose values are not known yet, or live on a device: leaves of the caller's framework.

    Attributes
    ----------
    words : list of four arrays, each of shape (*lengths, pairs)
        32-bit words of the fraction, the least first, in an integer dtype of the framework.
    factors : array, shape (*lengths)
        Attention factors.
    """

    words: list[Array]
    factors: Array
    inverse_frequencies: Array

    @property
    def pairs(self) -> int:
        """How many pairs turn."""
        with extents_may_be_compared():
            return int(self.inverse_frequencies.shape[-1])


def word_dtype(xp: Namespace) -> Any:
    """The integer dtype that holds a 32-bit word and its products: int64, or uint32 where there are no 64 bits."""
    return xp.int64 if has_64_bits(xp) else xp.uint32


def traced_turns(xp: Namespace, inverse_frequencies: Array, factors: Array) -> TracedTurns:
    """Turns of frequencies of `xp`, as exact as its widest float: theta / 2 pi is rounded, the rest is not."""
    turns = inverse_frequencies * constant(xp, 1 / (2 * math.pi), widest_float(xp), like=inverse_frequencies)
    fraction = turns - xp.floor(turns)
    words = []
    for _ in range(4):
        fraction = fraction * 4294967296.0
        word = xp.floor(fraction)
        fraction = fraction - word
        words.append(xp.astype(word, word_dtype(xp)))
    return TracedTurns(words[::-1], factors, inverse_frequencies)
