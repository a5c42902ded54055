"""Runs Megatron-Core's own RotaryEmbedding and YarnRotaryEmbedding on the CPU, within an environment that has it.

Megatron reads no config.json: the classes are given the numbers of one under their own names. They ask which CUDA device is
current, in every call of YaRN's; here the answer is the CPU.
"""

from typing import Any

import torch
from inside import answer, measured

torch.cuda.current_device = lambda: "cpu"  # type: ignore[assignment, return-value]

from megatron.core.models.common.embeddings.rotary_pos_embedding import RotaryEmbedding  # noqa: E402
from megatron.core.models.common.embeddings.yarn_rotary_pos_embedding import YarnRotaryEmbedding  # noqa: E402

_YARN = {
    "factor": "scaling_factor", "original_max_position_embeddings": "original_max_position_embeddings", "beta_fast": "beta_fast",
    "beta_slow": "beta_slow", "truncate": "correction_range_round_to_int",
}  # fmt: skip


def run(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The class that has the method, with the numbers of a rope dict."""
    kind = rope.get("rope_type", rope.get("type"))
    settings: dict[str, Any] = {"kv_channels": asked["dim"], "rotary_percent": 1.0, "rotary_base": asked["base"]}
    if kind == "yarn":
        settings |= {theirs: rope[ours] for ours, theirs in _YARN.items() if ours in rope}
        settings |= {key: rope.get(key) for key in ("mscale", "mscale_all_dim")}  # None: as a GPT that has neither
        module: Any = YarnRotaryEmbedding(**settings, use_cpu_initialization=True)
    elif kind in ("default", "linear", "llama3"):
        if kind == "linear":
            settings["seq_len_interpolation_factor"] = rope["factor"]
        if kind == "llama3":
            settings |= {"rope_scaling": True, "rope_scaling_factor": rope["factor"]}
        module = RotaryEmbedding(**settings, use_cpu_initialization=True)
    else:
        raise KeyError(kind)
    half = asked["dim"] // 2
    factor = 1.0

    def turned(position: int) -> tuple[Any, Any]:
        nonlocal factor
        made = module(1, offset=position) if kind != "yarn" else module(position + 1)
        angles, factor = made if isinstance(made, tuple) else (made, 1.0)
        row = angles.reshape(-1, asked["dim"])[-1, :half]
        return factor * row.cos().numpy(), factor * row.sin().numpy()

    frequencies, length = measured(turned, 14)
    del settings["kv_channels"], settings["rotary_percent"], settings["rotary_base"]
    return {"settings": settings, "inv_freq": frequencies, "m": length}


answer(run, "megatron-core", "torch")
