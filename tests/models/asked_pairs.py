"""Which elements make a pair, by which position each turns, and the factor of the logits: seen in a model's runs."""

import math
from typing import Any

import numpy as np
from asked import Asked
from read_in_class import HANDED
from running import LayerRun

_NAMES = {"half reversed": "reversed", "height-width-in-turn": "time_last"}


def pairs(asked: Asked) -> dict[str, Any]:
    """The fields of Facts that tell pairs."""
    return {"pairs": _pairs(asked), "softmax_mscale": _softmax_mscale(asked), **_sections(asked)}


def _pairs(asked: Asked) -> Any:
    usual = _layout(asked.usual)
    if "rope_interleave" not in asked.defaults:
        return usual
    on, off = (_layout(asked.run({"rope_interleave": flag})) for flag in (True, False))
    return usual if on == off else {"absent": usual, "false": off, "key": "rope_interleave", "true": on}


def _layout(layers: tuple[LayerRun, ...]) -> str:
    layouts = {layer.rotation.layout for layer in layers if layer.rotation is not None}
    name = layouts.pop() if len(layouts) == 1 else " and ".join(sorted(layouts)) or "none"
    return _NAMES.get(name, name)


def _softmax_mscale(asked: Asked) -> bool:
    """Whether the logits are multiplied by the square of the temperature that mscale_all_dim makes."""
    factor, base = 4.0, 10000.0
    rope = {"rope_type": "yarn", "factor": factor, "rope_theta": base, "original_max_position_embeddings": 32}
    layers = [
        asked.tried({"rope_parameters": {**rope, **more}}) for more in ({}, {"mscale": 1.0, "mscale_all_dim": 1.0})
    ]
    if layers[0] is None or layers[1] is None:
        return False
    ratios = {b.scaling / a.scaling for a, b in zip(*layers, strict=True) if a.scaling is not None and b.scaling}
    of_temperature = (0.1 * math.log(factor) + 1) ** 2
    return bool(ratios) and all(abs(ratio / of_temperature - 1) < 1e-6 for ratio in ratios)


def _sections(asked: Asked) -> dict[str, Any]:
    """Which section each pair turns by, where positions have several."""
    seen = {layer.rotation.sections for layer in asked.usual if layer.rotation is not None}
    if not any(len(set(sections)) > 1 for sections in seen):
        return {}
    if len(seen) > 1:  # layer types with other numbers of pairs: only what holds for each of them can be said
        if all(list(sections) == [i % 2 for i in range(len(sections))] for sections in seen):
            return {"sections": {"keys": [], "order": "interleaved", "positions": _positions(asked)}}
        return {"refuse": "turns pairs by several positions in an order that a Rope cannot say"}
    sections = [section or 0 for section in seen.pop()]
    counts = [sections.count(section) for section in range(max(sections) + 1)]
    order = _order(sections, counts)
    axial = {"contiguous": "axial", "interleaved": "axial_interleaved"}.get(order)
    if axial and _own_series(asked, sections):
        return {"sections": {"keys": [], "order": axial, "positions": _positions(asked)}}
    listed = [*counts[1:], counts[0]] if order == "time_last" else counts  # its files list time last
    return {"sections": {"default": listed, "keys": ["mrope_section"], "order": order}}


def _positions(asked: Asked) -> list[str]:
    """What the positions of a token are, in their order."""
    return list(HANDED.get(asked.rotary.config().model_type, ("row", "column")))


def _own_series(asked: Asked, sections: list[int]) -> bool:
    """Whether each section has the same frequencies."""
    turning = next(layer.rotation for layer in asked.usual if layer.rotation is not None)
    series: dict[int, list[float]] = {}
    for section, frequency in zip(sections, turning.frequencies, strict=True):
        series.setdefault(section, []).append(frequency)
    first = series[0]
    return all(len(one) == len(first) and np.allclose(one, first, rtol=1e-6, atol=0) for one in series.values())


def _order(sections: list[int], counts: list[int]) -> str:
    contiguous = [section for section, count in enumerate(counts) for _ in range(count)]
    interleaved = [0] * len(sections)
    for section, count in list(enumerate(counts))[1:]:
        for i in range(section, min(len(counts) * count, len(sections)), len(counts)):
            interleaved[i] = section
    in_turn = [1 + i % 2 for i in range(counts[1] + counts[2])] + [0] * counts[0] if len(counts) == 3 else None
    orders = {"contiguous": contiguous, "interleaved": interleaved, "time_last": in_turn}
    return next((name for name, order in orders.items() if order == sections), "".join(map(str, sections)))
