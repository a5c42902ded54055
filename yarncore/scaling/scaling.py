"""The contract of a scaling method, and what all of them share."""

import inspect
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from yarncore.frameworks.expressions import constant, widest_float
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import is_array


def as_call(record: Any, **defaults: Any) -> str:
    """A dataclass as the call that makes it: what must be given, and what differs from its default."""
    given = []
    for name, parameter in list(inspect.signature(type(record).__init__).parameters.items())[1:]:
        value = getattr(record, name)
        if value != defaults.get(name, parameter.default):
            given.append(f"{name}={value!r}")
    return f"{type(record).__qualname__}({', '.join(given)})"


class ScaledFrequencies(NamedTuple):
    """What a scaling makes of the unscaled inverse frequencies.

    Attributes
    ----------
    inverse_frequencies : array, shape (..., rotary_dim / 2)
        Radians per token. The leading axes are those of the lengths.
    attention_factor : array, shape (...)
        Multiplies cos and sin of q and k alike.
    softmax_scale_factor : array, shape (...)
        Multiplies the logits in attention; nothing in yarncore applies it.
    """

    inverse_frequencies: Array
    attention_factor: Array
    softmax_scale_factor: Array


@dataclass(frozen=True, slots=True, repr=False)
class Scaling:
    """A method of context extension: unscaled inverse frequencies and a context length in, scaled ones out.

    Pure mathematics over arrays. `inverse_frequencies` are radians per token, shape (pairs,), a geometric progression
    from 1; `length` is a number of tokens, an int or an array of `xp`, which may be traced.
    """

    needs_length: ClassVar[bool] = False
    """Whether the result depends on the length."""

    def precompute(self, inverse_frequencies: Array) -> Array | None:
        """What depends on the frequencies alone, such as a ramp: computed exactly, on the host, once."""
        return None

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        """Scale the frequencies for a sequence of `length` tokens (None: the original length).

        `precomputed` is what precompute(inverse_frequencies) gave; None: it is computed now.
        """
        raise NotImplementedError

    def step_lengths(self) -> tuple[int, ...] | None:
        """Where the result changes in steps: the last length of each step, and one beyond them all.

        A result for any length is then that of the first of these lengths that is not smaller, or of the last.
        None where the result changes continuously, or not at all.
        """
        return None

    def check_pairs(self, pairs: int) -> None:
        """Raise ValueError where the method does not fit a rotary dimension of 2 * pairs."""

    def __repr__(self) -> str:
        return as_call(self)

    def context_factor(self) -> float | None:
        """s = target / original length, where the method is told it."""
        return getattr(self, "factor", None)


def real(xp: Namespace, value: Array | float, like: Array | float | None = None) -> Array:
    """A number or array as an array of `xp` in its most exact floating dtype, on the device of `like`."""
    return constant(xp, value, widest_float(xp), like if is_array(like) else None)


def unscaled(xp: Namespace, inverse_frequencies: Array, factor: Array) -> ScaledFrequencies:
    """The result of a method that changes no amplitude."""
    one = xp.ones_like(factor)
    return ScaledFrequencies(inverse_frequencies, one, one)


def per_pair(xp: Namespace, factor: Array) -> Array:
    """A factor for each length, with an axis more that meets the pairs."""
    return xp.expand_dims(factor, axis=-1)


def length_ratio(xp: Namespace, length: Array | int | None, original_length: int) -> Array:
    """s = max(1, length / original length) for each length."""
    if length is None:
        length = original_length
    ratio = real(xp, length, like=length) / original_length
    return xp.where(ratio > 1.0, ratio, xp.ones_like(ratio))
