"""The smallest scaling that is sufficient for a length, and what has to be known of it."""

import dataclasses
from typing import Any

from yarncore._arguments import token_count
from yarncore.configs.extension import is_scaled, yarn
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.original_length import Length, original_length
from yarncore.errors import ConfigError
from yarncore.rope.regimes import lengths_of
from yarncore.scaling import DynamicYaRN, NTKByParts
from yarncore.scaling.scaling import Scaling


def trained_length(found: ModelRopes, given: int | None) -> Length:
    """The length that the model was trained for.

    Raises
    ------
    ConfigError
        Where nothing tells.
    """
    length = original_length(found, None if given is None else token_count("original_length", given))
    if length.tokens is None:
        raise ConfigError(
            f"{found.where}: nothing tells the length that the model was trained for; original_length is needed"
        )
    return length


def own_scaling(found: ModelRopes) -> Scaling | None:
    """The scaling of the layers that are scaled.

    Raises
    ------
    ConfigError
        Where there are several, or no layer rotates.
    """
    found.one(next((name for name, rope in found.items() if rope is not None), None))
    own = {rope.scaling for rope in found.values() if rope is not None and is_scaled(rope.scaling)}
    if len(own) > 1:
        raise ConfigError(
            f"{found.where}: its layers are scaled by {', '.join(map(repr, own))}; no plan is made for several"
        )
    return own.pop() if own else None


def reached_length(found: ModelRopes) -> int | None:
    """Tokens that the model reaches as it is."""
    lengths = [lengths_of(rope, found.advertised_length)[1] for rope in found.values() if rope is not None]
    return max((length for length in lengths if length is not None), default=None)


def sufficient(
    found: ModelRopes, own: Scaling | None, length: Length, target: int, replace: bool
) -> tuple[Scaling | None, list[str]]:
    """The scaling that is sufficient, and what has to be known of it."""
    original = length.tokens or target
    factor = max(1.0, target / original)
    notes: list[str] = []
    reached = reached_length(found) or original
    stated = original_length(found)
    if length.tokens != stated.tokens and stated.stated:
        notes.append(f"L is {original:,} as given, and not {stated.tokens:,}: {stated.whence}")
    if own is None:
        return (yarn(found, factor, original) if factor > 1 else None), notes
    if target <= reached and not (replace and factor < reached / original):
        larger = reached / original > factor
        note = (
            f"the model's own scaling reaches {reached:,} tokens and stays. s = {factor:.4g} would be enough: weights that were "
            "not trained under the larger one lose less by it (replace)"
        )
        return own, [*notes, note] if larger else notes
    if not isinstance(own, (NTKByParts, DynamicYaRN)):
        raise ConfigError(
            f"{found.where}: the model is scaled by {own!r}, and reaches {reached} tokens by it; nothing published says how it "
            f"is brought to {target}. yarncore compare shows what another scaling would do to it"
        )
    wanted, told = _refactored(own, factor, original)
    return wanted, [*notes, *told]


def _refactored(own: NTKByParts | DynamicYaRN, factor: float, original: int) -> tuple[Scaling | None, list[str]]:
    """The same method with its other parameters, and another s."""
    notes = [f"{own!r} is replaced: weights that were trained under it have to be trained under the new one"]
    if factor == 1:
        return None, notes
    changes: dict[str, Any] = {"original_length": original}
    changes["max_factor" if isinstance(own, DynamicYaRN) else "factor"] = factor
    if getattr(own, "attention_factor", None) is not None:
        changes["attention_factor"] = None
        notes.append(
            f"attention_factor {own.attention_factor:g} belongs to the former s and goes: it is 0.1 ln s + 1 now"  # type: ignore[union-attr]
        )
    if getattr(own, "steps", None) not in (None, "doubling"):
        changes["steps"] = "doubling"
    return dataclasses.replace(own, **changes), notes


def served_length(found: ModelRopes, own: Scaling | None, wanted: Scaling | None, target: int) -> int:
    """Tokens that the setting advertises: no fewer than the model's, where its scaling stays."""
    return max(target, found.advertised_length or 0) if wanted == own else target
