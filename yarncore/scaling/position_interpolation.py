"""Position Interpolation (Chen et al., arXiv:2306.15595): every frequency divided by s."""

from dataclasses import dataclass
from typing import ClassVar

from yarncore._arguments import real_number, token_count
from yarncore.frameworks.framework import Array, Namespace
from yarncore.scaling.scaling import ScaledFrequencies, Scaling, length_ratio, per_pair, real, unscaled


def interpolate(inverse_frequencies: Array, s: Array, xp: Namespace) -> ScaledFrequencies:
    """theta / s, eq. 4 of arXiv:2306.15595 with the position's factor moved to the frequency."""
    return unscaled(xp, real(xp, inverse_frequencies, like=s) / per_pair(xp, s), s)


@dataclass(frozen=True, slots=True, repr=False)
class PositionInterpolation(Scaling):
    """Position Interpolation (Chen et al., arXiv:2306.15595): theta / factor.

    Parameters
    ----------
    factor : float
        s = target / original length, >= 1.
    """

    factor: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", real_number("factor", self.factor, at_least=1))

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        return interpolate(inverse_frequencies, real(xp, self.factor), xp)


@dataclass(frozen=True, slots=True, repr=False)
class DynamicPositionInterpolation(Scaling):
    """Position Interpolation with s = max(1, length / original_length).

    Parameters
    ----------
    original_length : int
        The pretraining length in tokens; up to it nothing changes.
    """

    original_length: int
    needs_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "original_length", token_count("original_length", self.original_length))

    def at(
        self, inverse_frequencies: Array, length: Array | int | None, xp: Namespace, precomputed: Array | None = None
    ) -> ScaledFrequencies:
        return interpolate(inverse_frequencies, length_ratio(xp, length, self.original_length), xp)
