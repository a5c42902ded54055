"""How many tokens a scaling is made for, and the nearest scaling that follows no length."""

import dataclasses

from yarncore.errors import ConfigError
from yarncore.scaling import (
    DynamicPositionInterpolation,
    DynamicYaRN,
    LongRoPE,
    NTKByParts,
    PositionInterpolation,
    YaRN,
)
from yarncore.scaling.scaling import Scaling


def target_length(scaling: Scaling | None) -> int | None:
    """factor * original length, where the scaling is told both and means their product."""
    if isinstance(scaling, (NTKByParts, LongRoPE)):
        return round(scaling.factor * scaling.original_length)
    return None


def static(scaling: Scaling, length: int | None) -> Scaling:
    """What a scaling that follows the length is at its longest, or at `length` tokens, as a scaling of one factor.

    Raises
    ------
    ConfigError
        Where neither is told.
    """
    if not isinstance(scaling, (DynamicYaRN, DynamicPositionInterpolation)):
        return scaling
    factor = scaling.context_factor()
    if length is not None:
        factor = max(1.0, length / scaling.original_length)
    if factor is None:
        raise ConfigError(
            f"{scaling!r} follows the length without end; length=, the tokens to be served, is needed to write one factor"
        )
    if isinstance(scaling, DynamicPositionInterpolation):
        return PositionInterpolation(factor)
    shared = {entry.name for entry in dataclasses.fields(YaRN)} - {"factor"}
    return YaRN(factor, **{name: getattr(scaling, name) for name in shared})
