"""Runs torchtitan's own ComplexRoPE and CosSinRoPE, within an environment that has it: they are built, and their tables measured.

torchtitan reads no config.json: its classes are given the numbers of one under their own names.
"""

from typing import Any

import torch
from inside import alone, answer, measured

alone("torchtitan", "torchtitan.models", "torchtitan.models.common")

from torchtitan.models.common.rope import ComplexRoPE, CosSinRoPE  # noqa: E402

_NAMES = {
    "yarn": {
        "factor": "rope_factor", "original_max_position_embeddings": "original_seq_len", "beta_fast": "beta_fast",
        "beta_slow": "beta_slow", "truncate": "truncate",
    },
    "llama3": {
        "factor": "scaling_factor", "low_freq_factor": "low_freq_factor", "high_freq_factor": "high_freq_factor",
        "original_max_position_embeddings": "original_max_position_embeddings",
    },
    "default": {},
}  # fmt: skip
_SCALINGS = {"yarn": "yarn", "llama3": "llama", "default": "none"}


def run(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Both classes with the numbers of a rope dict, where they have its method."""
    kind = rope.get("rope_type", rope.get("type"))
    settings = {theirs: rope[ours] for ours, theirs in _NAMES[kind].items() if ours in rope}
    fields = {
        "dim": asked["dim"],
        "theta": asked["base"],
        "max_seq_len": asked["max_position"],
        "scaling": _SCALINGS[kind],
    }
    complex_rope = ComplexRoPE(ComplexRoPE.Config(**fields, **settings))
    table = torch.view_as_real(complex_rope.cache)
    frequencies, length = measured(lambda at: (table[at, :, 0].numpy(), table[at, :, 1].numpy()), 14)
    found: dict[str, Any] = {"settings": {"scaling": _SCALINGS[kind], **settings}, "inv_freq": frequencies, "m": length}
    try:
        cache = CosSinRoPE(CosSinRoPE.Config(**fields, **settings)).cache
    except NotImplementedError as error:
        return found | {"CosSinRoPE": f"NotImplementedError: {error}"}
    dim, half = asked["dim"], asked["dim"] // 2
    again, _ = measured(lambda at: (cache[at, :half].numpy(), cache[at, dim : dim + half].numpy()), 14)
    return found | {"CosSinRoPE": max(abs(a / b - 1) for a, b in zip(again, frequencies, strict=True))}


answer(run, "torchtitan", "torch")
