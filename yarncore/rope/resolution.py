"""Length -> Rotation: at none, at one, at many, and at lengths that cannot be read."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore._arguments import token_count
from yarncore.frameworks.expressions import constant, has_64_bits, namespace_of
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import is_array, of
from yarncore.rope.steps import Steps
from yarncore.rotation.numbers import Layout, of_arrays, of_numbers
from yarncore.rotation.rotation import Rotation, assembled
from yarncore.scaling.scaling import ScaledFrequencies, Scaling, real
from yarncore.scaling.unscaled import Series


class Resolution:
    """How a Rope becomes a Rotation.

    Attributes
    ----------
    original : Rotation
        At the original length. Computed when the Rope is made, so that nothing has to be while a call is traced.
    steps : Steps, or None
        Of a scaling that changes in steps.
    """

    __slots__ = ("_layout", "_name", "_places", "_scaling", "_series", "original", "steps")

    def __init__(
        self,
        scaling: Scaling | None,
        series: tuple[Series, ...],
        places: npt.NDArray[np.intp] | None,
        layout: Layout,
        name: Callable[[], str],
    ) -> None:
        self._scaling = scaling
        self._series = series
        self._places = places
        self._layout = layout
        self._name = name
        self.original = self._at(None, None, None)
        self.steps = self._all_steps()

    @property
    def needs_length(self) -> bool:
        """Whether the scaling looks at the length."""
        return self._scaling is not None and self._scaling.needs_length

    def at_length(self, length: int) -> Rotation:
        """A concrete Rotation, computed in NumPy."""
        return self.steps.at_length(length) if self.steps else _resolved(self, length)

    def at_lengths(self, lengths: npt.NDArray[Any]) -> Rotation:
        """A concrete Rotation with a row for each different length."""
        if self.steps:
            return self.steps.at_lengths(lengths, lambda: f"{self._name()}.at({lengths.tolist()})")
        unique, rows = np.unique(lengths, return_inverse=True)
        if not unique.size:
            unique = np.ones(1, dtype=np.int64)
        return self._at(unique, rows.reshape(lengths.shape), lengths)

    def at_traced(self, lengths: Array) -> Rotation:
        """A Rotation at lengths whose values cannot be read now."""
        return self.steps.at_traced(lengths) if self.steps else self.in_namespace(lengths, namespace_of(lengths))

    def in_namespace(self, length: Any, xp: Namespace) -> Rotation:
        """A Rotation whose numbers are arrays of `xp`, as exact as its widest float."""
        return assembled(of_arrays(*self._scaled(length, xp), self._layout))

    def _scaled(self, length: Any, xp: Namespace) -> ScaledFrequencies:
        theta, *factors = self._of_series(length, xp)
        if self._places is not None:
            dtype = xp.int64 if has_64_bits(xp) else xp.int32
            theta = xp.take(theta, constant(xp, self._places, dtype, like=theta), axis=-1)
        return ScaledFrequencies(theta, *factors)

    def _of_series(self, length: Any, xp: Namespace) -> ScaledFrequencies:
        """The series, one after the other."""
        if self._scaling is None:
            parts = [real(xp, series.unscaled) for series in self._series]
            one = xp.ones_like(parts[0][0])
            return ScaledFrequencies(xp.concat(parts) if len(parts) > 1 else parts[0], one, one)
        scaled = [self._scaling.at(series.unscaled, length, xp, series.precomputed) for series in self._series]
        if len(scaled) == 1:
            return scaled[0]
        return ScaledFrequencies(xp.concat([part[0] for part in scaled], axis=-1), *scaled[0][1:])

    def _at(self, length: Any, rows: npt.NDArray[Any] | None, asked: Any) -> Rotation:
        theta, attention, softmax = self._scaled(length, np)
        theta = np.atleast_2d(theta)
        attention, softmax = (np.broadcast_to(value, theta.shape[:1]) for value in (attention, softmax))

        def text() -> str:
            return f"{self._name()}.at({asked if rows is None else asked.tolist()})"

        return assembled(of_numbers(theta, attention, softmax, rows, self._layout, text, self._is_continuous))

    @property
    def _is_continuous(self) -> bool:
        return self._scaling is not None and self._scaling.needs_length and self._scaling.step_lengths() is None

    def _all_steps(self) -> Steps | None:
        lengths = None if self._scaling is None else self._scaling.step_lengths()
        return None if lengths is None else Steps.of(lengths, [self._at(length, None, length) for length in lengths])


@functools.lru_cache(maxsize=256)
def _resolved(resolution: Resolution, length: int) -> Rotation:
    return resolution._at(length, None, length)


def checked_length(length: Any) -> Any:
    """None, an int, or an array of int: NumPy's where it can be read, else the caller's.

    Raises
    ------
    TypeError, ValueError
        Where it is no whole number of tokens >= 1.
    """
    if length is None:
        return None
    if is_array(length) and of(length).is_traced(length):
        if not of(length).is_integer(length):
            raise TypeError(f"length has dtype {length.dtype}; integers are expected")
        return length
    if is_array(length):
        length = of(length).on_host(length)
    if isinstance(length, (list, tuple)) or (is_array(length) and length.shape != ()):
        array = np.asarray(length)
        if array.size and array.dtype.kind not in "iuf":
            raise TypeError(f"length has dtype {array.dtype}; integers are expected")
        if array.dtype.kind == "f" or (array.size and not (array.min() >= 1 and array.max() < 2**53)):
            for value in np.unique(array):
                token_count("length", value)
        return array.astype(np.int64, copy=False)
    return token_count("length", length if not is_array(length) else length[()])
