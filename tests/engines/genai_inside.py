"""Runs the builders of onnxruntime-genai, within an environment that has it: a builder's model is made of a configuration of
transformers, and its table of cos and sin is measured.
"""

import contextlib
import sys
from pathlib import Path
from typing import Any

import onnxruntime_genai
from inside import answer, measured

sys.path.insert(0, str(Path(onnxruntime_genai.__file__).parent / "models"))  # as builder.py is started

import onnx_ir
import transformers
from builders.llama import LlamaModel
from builders.mistral import MistralModel
from builders.qwen import Qwen3Model

_BUILDERS = {
    "llama": (LlamaModel, transformers.LlamaConfig),
    "mistral": (MistralModel, transformers.MistralConfig),
    "qwen3": (Qwen3Model, transformers.Qwen3Config),
}


def run(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The table of the builder for a type of model."""
    builder, configuration = _BUILDERS[asked["model_type"]]
    config = configuration(
        head_dim=asked["dim"], hidden_size=2 * asked["dim"], num_attention_heads=2, num_key_value_heads=2, num_hidden_layers=1,
        intermediate_size=8, vocab_size=8, max_position_embeddings=asked["max_position"],
        rope_parameters={"rope_theta": asked["base"], **rope},
        architectures=[configuration.__name__.replace("Config", "ForCausalLM")],
    )  # fmt: skip
    with contextlib.redirect_stdout(sys.stderr):
        model = builder(config, onnx_ir.DataType.FLOAT, onnx_ir.DataType.FLOAT, "cpu", "", {})
        cos, sin = model.make_rotary_embedding_caches_from_scratch()
    half = asked["dim"] // 2
    frequencies, length = measured(lambda at: (cos[at, :half].numpy(), sin[at, :half].numpy()), 14)
    return {"inv_freq": frequencies, "m": length}


answer(run, "onnxruntime-genai", "transformers", "torch", model_types=tuple(_BUILDERS))
