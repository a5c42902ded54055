"""What a model's long-context setting does, as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yarncore.configs.dialects import ropes_from_config
from yarncore.configs.model_ropes import Evidence
from yarncore.query_scale import QueryScale
from yarncore.rope.regimes import PairRow, lengths_of, pair_rows
from yarncore.rope.rope import Rope
from yarncore.rotation.rotation import Rotation


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
    still_query_scales : dict of layer type to QueryScale
        Of layers that do not rotate.
    split_into : int
        Heads that what turns is split into behind the rotation; 1: it is a head.
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
    still_query_scales: Mapping[str, QueryScale] = field(default_factory=dict)
    split_into: int = 1

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
            "split_into": self.split_into,
            "reversed": self.rope.reversed,
            "base": self.rope.base,
            "interleaved": self.rope.interleaved,
            "original_length": self.original_length,
            "target_length": self.target_length,
            "factor": self.factor,
            "attention_factor": self.rotation.attention_factor,
            "softmax_scale_factor": self.rotation.softmax_scale_factor,
            "softmax_scale": self.rotation.softmax_scale(self.query_dim),
            "query_scale": None if self.rope.query_scale is None else repr(self.rope.query_scale),
            "query_scales_without_rotation": {name: repr(scale) for name, scale in self.still_query_scales.items()},
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
    original, target, factor = lengths_of(rope, model.advertised_length)
    if length is not None:
        target = length
        factor = length / original if original and rope.scaling is not None and rope.scaling.needs_length else factor
    rotation = rope.at(target)
    query_dim = rope.head_dim // model.split_into + model.query_elements_beside
    name = Path(model.where).name + (f" ({model.model_type})" if model.model_type else "")
    rows = pair_rows(rope, original, target, factor)
    return Description(
        name, model.evidence, rope, rotation, original, target, factor, model.heads, model.key_heads, query_dim, rows,
        model.query_scales, model.split_into,
    )  # fmt: skip
