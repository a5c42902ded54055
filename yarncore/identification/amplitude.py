"""What the amplitude of cos and sin says about a reading: whether, where and how the temperature is applied."""

import math
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from yarncore.identification.readings import Reading
from yarncore.identification.standard import rounded
from yarncore.rope.rope import Rope
from yarncore.scaling import NTKByParts, YaRN

EXACT = 4e-7  # relative, of an amplitude in float32
_MSCALES = (1.0, 0.707, 0.5, 1.2, 0.8)


def with_temperature(
    readings: tuple[Reading, ...], factor: float | None, notes: list[str], tolerance: float = EXACT
) -> tuple[Reading, ...]:
    """NTK-by-parts with a temperature is YaRN: the readings under the names that the amplitude gives them.

    None for a factor: it was not seen. YaRN, of which there is more, comes first, and NTK-by-parts once behind it.
    """
    made: list[Reading] = []
    for reading in readings:
        scaling = None if reading.rope is None else reading.rope.scaling
        if isinstance(scaling, NTKByParts) and not isinstance(scaling, YaRN):
            made += _yarns(reading, scaling, factor, tolerance)
        else:
            made.append(reading)
    if factor is not None and made:
        notes += _words(made[0], factor, tolerance)
    if factor is None or _same(factor, 1.0, tolerance):
        made += [one for one in readings if one.rope is not None and type(one.rope.scaling) is NTKByParts][:1]
    return tuple(_with_factor_first(made, factor, tolerance))


def _with_factor_first(readings: list[Reading], factor: float | None, tolerance: float) -> list[Reading]:
    """Llama 3's scaling has no temperature: where there is one, YaRN by turns comes first."""
    if factor is None or _same(factor, 1.0, tolerance):
        return readings
    return sorted(readings, key=lambda one: one.rope is not None and not isinstance(one.rope.scaling, YaRN))


def _yarns(reading: Reading, scaling: NTKByParts, factor: float | None, tolerance: float) -> Iterator[Reading]:
    ramp: dict[str, Any] = {each.name: getattr(scaling, each.name) for each in fields(scaling)}
    given, note = _temperature(scaling.factor, factor, tolerance)
    rope = reading.rope
    assert rope is not None
    made = Rope(rope.head_dim, rope.base, YaRN(**(ramp | given)))
    yield replace(reading, method="YaRN", rope=made, note=note or reading.note)


def _temperature(s: float, factor: float | None, tolerance: float) -> tuple[dict[str, float], str]:
    """YaRN's parameters that make the amplitude, and what is to be said of it."""
    usual = 0.1 * math.log(s) + 1
    if factor is None or _same(factor, usual, tolerance):
        return {}, ""
    if _same(factor, 1.0, tolerance):
        return {"attention_factor": 1.0}, "no temperature in cos and sin: missing, or in the softmax as DeepSeek has it"
    if _same(factor, usual**2, tolerance):
        return {"attention_factor": usual**2}, "the temperature stands in cos and sin twice"
    if _same(factor, 0.07 * math.log(s) + 1, tolerance):
        return {"attention_factor": factor}, "0.07 ln s + 1: TeleChat3's temperature"
    for mscale in _MSCALES:
        for all_dim in (*_MSCALES, 0.0):
            ratio = (0.1 * mscale * math.log(s) + 1) / (0.1 * all_dim * math.log(s) + 1)
            if mscale != all_dim and _same(factor, ratio, tolerance):
                return {"mscale": mscale, "mscale_all_dim": all_dim}, ""
    short = next(value for value in rounded(factor) if _same(value, factor, tolerance))
    return {"attention_factor": short}, ""


def _words(first: Reading, factor: float, tolerance: float) -> list[str]:
    scaling = None if first.rope is None else first.rope.scaling
    if isinstance(scaling, YaRN) or _same(factor, 1.0, tolerance):
        return []
    return [f"cos and sin have the amplitude {factor:.7g}, which {first.method} alone has not"]


def _same(a: float, b: float, tolerance: float) -> bool:
    return abs(a / b - 1) <= tolerance
