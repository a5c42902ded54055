"""The families of query scales, and how the roads are told of them."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from yarncore._arguments import integer, is_number, real_number, token_count
from yarncore.frameworks.expressions import check_finite, constant, has_64_bits, namespace_of, widest_float
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import is_array, is_numpy, of, of_namespace

LOG_STEPS, LOG_N = 1, 2


class ScaleNumbers(NamedTuple):
    """A query scale in numbers, as kernels take it.

    Attributes
    ----------
    kind : LOG_STEPS or LOG_N
    coefficient : float
        beta, or ln(original length).
    length : int
        The original length, in tokens.
    offset : int
    inverted : bool
        One divided by it.
    """

    kind: int
    coefficient: float
    length: int
    offset: int
    inverted: bool


class QueryScale:
    """A factor of each query by its position p; keys have none. At negative positions it is that at 0."""

    __slots__ = ()

    def at(self, positions: Any) -> Any:
        """The factors at some positions, for queries that are not rotated, or for what a rotation does not see of them.

        Parameters
        ----------
        positions : int, sequence or array of int or float
            In tokens.

        Returns
        -------
        float, or array of the shape of positions
            In the most exact floating dtype of its framework.

        Raises
        ------
        TypeError, ValueError
            Where positions are no numbers, NaN or infinite. Where they cannot be looked at, in a trace or on a GPU, a NaN has the
            factor NaN.

        Examples
        --------
        >>> LogSteps(beta=0.1, original_length=8192, offset=1).at([0, 8190, 8191]).round(4).tolist()
        [1.0, 1.0, 1.0693]
        """
        if is_number(positions) and not is_array(positions):
            return float(self.at(np.asarray([positions]))[0])
        if not is_array(positions):
            positions = np.asarray(positions)
        if is_numpy(positions) and positions.dtype.kind not in "iuf":
            raise TypeError(f"positions has dtype {positions.dtype}; integers or real numbers are expected")
        check_finite("positions", positions)
        return self.factors(namespace_of(positions), positions)

    def factors(self, xp: Namespace, positions: Array) -> Array:
        """The factors at positions that are an array of `xp`."""
        raise NotImplementedError

    @property
    def numbers(self) -> ScaleNumbers:
        """The same for a kernel."""
        raise NotImplementedError

    @property
    def inverse(self) -> "QueryScale":
        """What undoes it."""
        return Inverted(self)

    @property
    def letters(self) -> str:
        """All of it in letters, which of_letters reads: a traced graph can hold them."""
        return " ".join(map(repr, self.numbers))


@dataclass(frozen=True, slots=True)
class LogSteps(QueryScale):
    """1 + beta ln(1 + floor((p + offset) / original_length)), which Llama 4 calls attention temperature tuning.

    Parameters
    ----------
    beta : float
        > 0.
    original_length : int
        Tokens to a step.
    offset : int, default 0
        0: Ministral 3 and Mistral 4, llama_4_scaling_beta (transformers 5.24.0, modeling_ministral3.py and
        modeling_mistral4.py, get_llama_4_attn_scale). 1: Llama 4, which counts positions from 1 (transformers 5.24.0,
        modeling_llama4.py, Llama4TextAttention.forward).

    Raises
    ------
    TypeError, ValueError
    """

    beta: float
    original_length: int
    offset: int = 0

    def __post_init__(self) -> None:
        if not is_number(self.beta):
            raise TypeError(f"beta is {self.beta!r} ({type(self.beta).__name__}); a number is expected")
        object.__setattr__(self, "beta", real_number("beta", self.beta, above=0, below=2**53))
        object.__setattr__(self, "original_length", token_count("original_length", self.original_length))
        object.__setattr__(self, "offset", integer("offset", self.offset))
        if not 0 <= self.offset < 2**31:
            raise ValueError(f"offset is {self.offset}; an integer >= 0 and < 2^31 is expected")

    def factors(self, xp: Namespace, positions: Array) -> Array:
        """The factors at positions that are an array of `xp`."""
        real = widest_float(xp)
        steps = _whole_lengths(xp, positions, self.offset, self.original_length)
        rise = xp.log(xp.astype(1 + steps, real)) * constant(xp, self.beta, real, like=positions)
        if of_namespace(xp).contracts:
            rise = xp.minimum(rise, 1e30)  # a wall before the sum: a product is rounded by itself
        return rise + 1.0

    @property
    def numbers(self) -> ScaleNumbers:
        """The same for a kernel."""
        return ScaleNumbers(LOG_STEPS, self.beta, self.original_length, self.offset, False)


@dataclass(frozen=True, slots=True)
class LogN(QueryScale):
    """max(1, ln(p + 1) / ln(original_length)): log-n attention, use_logn_attn in the first Qwen's files.

    Its own code counts from 1 (QwenLM/Qwen-Audio, modeling_qwen.py, commit 0b0e882e9a7661a627a77b6d804da64e05fff7a1: read,
    not run).

    Parameters
    ----------
    original_length : int
        >= 2; seq_length there.

    Raises
    ------
    TypeError, ValueError
    """

    original_length: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "original_length", token_count("original_length", self.original_length))
        if self.original_length < 2:
            raise ValueError(f"original_length is {self.original_length}; a number of tokens >= 2 is expected")

    def factors(self, xp: Namespace, positions: Array) -> Array:
        """The factors at positions that are an array of `xp`."""
        real = widest_float(xp)
        value = xp.astype(positions, real)
        value = xp.where(value < 0, xp.zeros_like(value), value)  # before the logarithm: no new NaN, no warning
        ratio = xp.log(value + 1.0) / constant(xp, self.numbers.coefficient, real, like=positions)
        return xp.where(ratio <= 1.0, xp.ones_like(ratio), ratio)

    @property
    def numbers(self) -> ScaleNumbers:
        """The same for a kernel."""
        return ScaleNumbers(LOG_N, math.log(self.original_length), self.original_length, 0, False)


@dataclass(frozen=True, slots=True)
class Inverted(QueryScale):
    """One divided by a query scale: what an inverse rotation has."""

    scale: QueryScale

    def factors(self, xp: Namespace, positions: Array) -> Array:
        """The factors at positions that are an array of `xp`."""
        return 1.0 / self.scale.factors(xp, positions)

    @property
    def numbers(self) -> ScaleNumbers:
        """The same for a kernel."""
        return self.scale.numbers._replace(inverted=True)

    @property
    def inverse(self) -> QueryScale:
        """What undoes it."""
        return self.scale


def of_letters(letters: str) -> QueryScale | None:
    """The query scale that letters came from; None of no letters."""
    if not letters:
        return None
    kind, coefficient, length, offset, inverted = letters.split(" ")
    made = LogSteps(float(coefficient), int(length), int(offset)) if int(kind) == LOG_STEPS else LogN(int(length))
    return made.inverse if inverted == "True" else made


def joined(x: QueryScale | None, y: QueryScale | None) -> QueryScale | None:
    """That of two rotations, one after the other.

    Raises
    ------
    ValueError
        Where no single one is both.
    """
    if x is None or y is None:
        return y if x is None else x
    if x == y.inverse:
        return None
    raise ValueError(
        f"the query scales {x} and {y} cannot be joined into one; for keys, which have none, compose the rotations' for_keys()"
    )


def _whole_lengths(xp: Namespace, positions: Array, offset: int, length: int) -> Array:
    """floor((p + offset) / length), where a negative p counts as 0. In doubles that is exact below 2^53."""
    if not has_64_bits(xp) and of(positions).is_integer(positions) and length < 2**31:
        whole = xp.astype(xp.where(positions > 0, positions, xp.zeros_like(positions)), xp.uint32)
        return whole // length + (whole % length + offset) // length
    value = xp.astype(positions, widest_float(xp))
    value = xp.where(value < 0, xp.zeros_like(value), value)
    return xp.floor((value + offset) / length)
