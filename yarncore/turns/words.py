"""Arithmetic on turns as words: signed integers of 160 bits, five uint32 along the axis before the pairs.

For many rows at once, in NumPy's 64-bit lanes: a row a token would take Python's integers seconds.
"""

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from yarncore.turns.fixed_point import FRACTION_BITS, WORDS, inverse_of_two_pi, turns_of, words_of

Words = npt.NDArray[np.uint32]
_Lanes = npt.NDArray[np.uint64]

_MASK = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)

# theta = mantissa * 2^exponent with a mantissa of 53 bits. Below the first exponent every turn rounds to 0, and above
# the last one a pair would turn more than 2^31 times a token.
_FIRST_EXPONENT, _LAST_EXPONENT = -FRACTION_BITS - 56, 34 - 53
_GUARD_WORDS = 3  # of the product, below the last bit of the turns: more than the mantissa can disturb
_WINDOW_WORDS = 7  # of 2^(exponent + 128 + 96) / 2 pi, at the last exponent


def words_of_frequencies(theta: npt.NDArray[np.float64]) -> Words:
    """Turns of inverse frequencies (radians per token), shape (rows, pairs) -> (rows, 5, pairs), each rounded once.

    Raises
    ------
    ValueError
        Where one is not finite, or turns 2^31 times or more a token.
    """
    limit = 2 * np.pi * (2**31 - 1)
    if not np.all(np.abs(theta) < limit):
        raise ValueError(f"inverse_frequencies must be finite and below {limit:.3g} radians per token in magnitude")
    flat = np.abs(theta).ravel()
    fraction, exponent = np.frexp(flat)
    mantissa = np.ldexp(fraction, 53).astype(np.uint64)
    windows = _windows()
    index = exponent.astype(np.int64) - 53 - _FIRST_EXPONENT
    mantissa[index < 0] = 0
    product = _product(mantissa, windows[np.maximum(index, 0)].T)
    words, doubtful = _rounded(product)
    for place in np.flatnonzero(doubtful):  # too near to a half for the words that were multiplied
        words[:, place] = words_of([turns_of(float(flat[place]))])[:, 0]
    rows = np.ascontiguousarray(words.reshape(WORDS, *theta.shape).transpose(1, 0, 2))
    backwards = theta[:, None, :] < 0
    return np.where(backwards, negated(rows), rows) if backwards.any() else rows


@functools.cache
def _windows() -> _Lanes:
    """floor(2^(exponent + 128 + 96) / 2 pi) for each exponent, as words in 64-bit lanes, the least first."""
    shift = FRACTION_BITS + 32 * _GUARD_WORDS
    rows = [inverse_of_two_pi(exponent + shift) for exponent in range(_FIRST_EXPONENT, _LAST_EXPONENT + 1)]
    data = b"".join(value.to_bytes(4 * _WINDOW_WORDS, "little") for value in rows)
    return np.frombuffer(data, "<u4").reshape(-1, _WINDOW_WORDS).astype(np.uint64)


def _product(mantissa: _Lanes, window: _Lanes) -> Sequence[_Lanes]:
    """mantissa * window as 64-bit lanes of which each holds a word and a few carries."""
    low, high = mantissa & _MASK, mantissa >> _WORD
    lanes = [np.zeros_like(mantissa) for _ in range(_WINDOW_WORDS + 2)]
    for i in range(_WINDOW_WORDS):
        by_low, by_high = low * window[i], high * window[i]
        lanes[i] += by_low & _MASK
        lanes[i + 1] += (by_low >> _WORD) + (by_high & _MASK)
        lanes[i + 2] += by_high >> _WORD
    return lanes


def _rounded(product: Sequence[_Lanes]) -> tuple[Words, npt.NDArray[np.bool_]]:
    """The words above the guard words, rounded half up; and where an error of the mantissa's size could decide."""
    carry = np.zeros_like(product[0])
    words = []
    for lane in product:
        total = lane + carry
        words.append(total & _MASK)
        carry = total >> _WORD
    top = words[_GUARD_WORDS - 1]
    doubtful = (top == np.uint64(0x7FFFFFFF)) & (words[_GUARD_WORDS - 2] >= np.uint64(0xFFC00000))
    carry = top >> np.uint64(31)
    kept = np.empty((WORDS, top.size), dtype=np.uint32)
    for i in range(WORDS):
        total = words[_GUARD_WORDS + i] + carry
        kept[i] = total & _MASK
        carry = total >> _WORD
    return kept, doubtful


def negated(words: Words) -> Words:
    """The same turns backwards, shape (..., 5, pairs)."""
    return _added(~words, np.zeros_like(words), 1)


def added(x: Words, y: Words) -> Words:
    """The sum of turns, modulo 2^160, shape (..., 5, pairs)."""
    return _added(x, y, 0)


def _added(x: Words, y: Words, first: int) -> Words:
    result = np.empty(np.broadcast_shapes(x.shape, y.shape), dtype=np.uint32)
    carry: npt.NDArray[np.uint64] | np.uint64 = np.uint64(first)
    for word in range(WORDS):
        total = x[..., word, :].astype(np.uint64) + y[..., word, :] + carry
        result[..., word, :] = total & _MASK
        carry = total >> _WORD
    return result


def first_is_negative(words: Words) -> bool:
    """Whether the first turn that is not 0 goes backwards, in the order of rows and pairs; shape (rows, 5, pairs)."""
    turning = words.any(axis=-2)
    if not turning.any():
        return False
    row, pair = np.unravel_index(int(turning.argmax()), turning.shape)
    return bool(words[row, -1, pair] >> 31)
