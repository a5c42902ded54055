"""Runs transformers' own rotary module of Llama, within an environment that has it, at a position of the longest length: what
depends on the length has then been made for it.
"""

from typing import Any

import torch
from inside import answer
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding


def run(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """What the module turns by, after it has been called."""
    config = LlamaConfig(
        head_dim=asked["dim"], hidden_size=2 * asked["dim"], num_attention_heads=2, num_key_value_heads=2,
        max_position_embeddings=asked["max_position"], rope_parameters={"rope_theta": asked["base"], **rope},
    )  # fmt: skip
    module = LlamaRotaryEmbedding(config)
    cos, sin = module(torch.zeros(1), torch.tensor([[0, asked["max_position"] - 1]]))
    factor = float(cos[0, 0, 0])  # at position 0 cos is 1
    lengths = torch.hypot(cos[0, 1].double(), sin[0, 1].double())
    if not torch.allclose(lengths, torch.tensor(factor, dtype=torch.float64), rtol=1e-6):
        raise RuntimeError(f"cos and sin of different lengths: {lengths.tolist()}")
    return {"inv_freq": [float(value) for value in module.inv_freq], "m": factor}


answer(run, "transformers", "torch")
