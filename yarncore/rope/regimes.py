"""What a scaling does to each pair of a head, in words and numbers."""

import math
from dataclasses import dataclass, replace

from yarncore.rope.rope import Rope


@dataclass(frozen=True, slots=True)
class PairRow:
    """One pair of a head.

    Attributes
    ----------
    pair : int
    wavelength : float
        Tokens for a full turn before scaling; inf where it does not turn.
    turns : float
        Full turns within the original length, before scaling.
    regime : "kept", "blended", "interpolated", "stretched" or "still"
        Interpolated: divided by s. Stretched: by another number than s.
    multiplier : float
        Scaled frequency / unscaled frequency.
    """

    pair: int
    wavelength: float
    turns: float
    regime: str
    multiplier: float

    def leaves(self, factor: float) -> bool:
        """Whether it meets angles at s L tokens that it never met within L: it does not complete a turn there."""
        return self.turns < 1 and factor * self.multiplier > 1 + 1e-9


def lengths_of(rope: Rope, maximum: int | None) -> tuple[int | None, int | None, float | None]:
    """L, the target length and s of a rotary embedding in a model that advertises so many tokens."""
    scaling = rope.scaling
    if scaling is None:
        return maximum, maximum, None
    factor = scaling.context_factor()
    original = getattr(scaling, "original_length", None)
    if original is None:
        original = round(maximum / factor) if maximum and factor else maximum
        return original, maximum, factor
    if factor is None:
        factor = getattr(scaling, "factor", None) or (maximum / original if maximum else None)
    return original, max(round(original * (factor or 1)), maximum or 0), factor


def pair_rows(
    rope: Rope, original_length: int | None, target_length: int | None, factor: float | None
) -> tuple[PairRow, ...]:
    """A row for each pair, of a rotary embedding at its target length."""
    theta = abs(replace(rope, scaling=None).at().inverse_frequencies)
    scaled = abs(rope.at(target_length).inverse_frequencies)
    has_ramp = rope.scaling is not None and rope.scaling.precompute(theta) is not None
    rows = []
    for pair, (before, after) in enumerate(zip(theta.tolist(), scaled.tolist(), strict=True)):
        multiplier = after / before if before else 0.0  # of a base beyond 1e38 the slowest pairs do not turn at all
        wavelength = 2 * math.pi / before if before else math.inf
        turns = math.nan if original_length is None else original_length / wavelength
        rows.append(PairRow(pair, wavelength, turns, _regime(multiplier, factor, has_ramp), multiplier))
    return tuple(rows)


def _regime(multiplier: float, factor: float | None, has_ramp: bool) -> str:
    if multiplier == 0:
        return "still"
    if multiplier == 1:
        return "kept"
    if factor and math.isclose(multiplier * factor, 1, rel_tol=1e-12):
        return "interpolated"
    return "blended" if has_ramp else "stretched"
