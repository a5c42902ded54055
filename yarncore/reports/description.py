"""What a model's long-context setting does, as numbers."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.configs.dialects import ropes_from_config
from yarncore.configs.model_ropes import Evidence
from yarncore.rope.rope import Rope
from yarncore.rotation.rotation import Rotation
from yarncore.scaling.unscaled import unscaled_inverse_frequencies


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


@dataclass(frozen=True, slots=True)
class Description:
    """A rotary embedding at a length, and the model it belongs to.

    Attributes
    ----------
    model : str
        File name and model type.
    evidence : Evidence
        What is known of that type beyond its file's keys, and how.
    rope : Rope
    rotation : Rotation
        At the target length.
    original_length, target_length : int or None
        L and the length it is made for, in tokens.
    factor : float or None
        s = target / L.
    heads, key_heads : int
        Of q and k.
    query_dim : int
        Elements of a whole query head, for the softmax scale.
    pairs : tuple of PairRow
    """

    model: str
    evidence: Evidence
    rope: Rope
    rotation: Rotation
    original_length: int | None
    target_length: int | None
    factor: float | None
    heads: int
    key_heads: int
    query_dim: int
    pairs: tuple[PairRow, ...]

    @property
    def method(self) -> str:
        """The name of the scaling."""
        return "plain RoPE" if self.rope.scaling is None else type(self.rope.scaling).__name__

    def as_dict(self) -> dict[str, Any]:
        """The same for machines: plain values under stable names."""
        return {
            "model": self.model,
            "evidence": {"kind": self.evidence.kind, "source": self.evidence.source},
            "method": self.method,
            "rope": repr(self.rope),
            "head_dim": self.rope.head_dim,
            "rotary_dim": self.rope.rotary_dim,
            "rotary_start": self.rope.rotary_start,
            "reversed": self.rope.reversed,
            "base": self.rope.base,
            "interleaved": self.rope.interleaved,
            "original_length": self.original_length,
            "target_length": self.target_length,
            "factor": self.factor,
            "attention_factor": self.rotation.attention_factor,
            "softmax_scale_factor": self.rotation.softmax_scale_factor,
            "softmax_scale": self.rotation.softmax_scale(self.query_dim),
            "rotation_id": self.rotation.id,
            "pairs": [
                {"pair": row.pair, "wavelength": row.wavelength, "turns": row.turns, "regime": row.regime,
                 "multiplier": row.multiplier}
                for row in self.pairs
            ],
        }  # fmt: skip


def describe(source: Any, layer_type: str | None = None, length: int | None = None, strict: bool = True) -> Description:
    """Read a configuration and resolve its rotary embedding at a length (None: the length it is made for).

    Raises
    ------
    ConfigError, TypeError, ValueError, OSError
        As from_config, and for a length that is no number of tokens.
    """
    model = ropes_from_config(source, strict=strict)
    rope = model.one(layer_type)
    original, target, factor = _lengths(rope, model.advertised_length)
    if length is not None:
        target = length
        factor = length / original if original and rope.scaling is not None and rope.scaling.needs_length else factor
    rotation = rope.at(target)
    query_dim = rope.head_dim + model.query_elements_beside
    name = Path(model.where).name + (f" ({model.model_type})" if model.model_type else "")
    rows = _pair_rows(rope, abs(rotation.inverse_frequencies), original, factor)
    return Description(
        name, model.evidence, rope, rotation, original, target, factor, model.heads, model.key_heads, query_dim, rows
    )


def _lengths(rope: Rope, maximum: int | None) -> tuple[int | None, int | None, float | None]:
    """L, the target length and s."""
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


def _pair_rows(
    rope: Rope, scaled: npt.NDArray[np.float64], original: int | None, factor: float | None
) -> tuple[PairRow, ...]:
    theta = unscaled_inverse_frequencies(rope.base, rope.rotary_dim)
    has_ramp = rope.scaling is not None and rope.scaling.precompute(theta) is not None
    rows = []
    for pair, (before, after) in enumerate(zip(theta.tolist(), scaled.tolist(), strict=True)):
        multiplier = after / before
        wavelength = 2 * math.pi / before
        turns = math.nan if original is None else original / wavelength
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
