"""Turns whose values are not known yet."""

import math
from dataclasses import dataclass
from typing import Any

from yarncore.frameworks.expressions import constant, has_64_bits, widest_float
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.tracers import extents_may_be_compared


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
