"""Runs SGLang's own configuration code and rotary modules on the CPU, within an environment that has it.

A rope dict stands in a config.json, which ModelConfig reads; get_rope is given what get_rope_config makes of it, as the
models do. Compilers of kernels, kernels and quantization are absent. No rotary code and nothing about lengths is touched.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ["SGLANG_USE_CPU_ENGINE"] = "1"

# What of torch and transformers looks for the compilers has looked before they are declared.
import torch
import torch._inductor.compile_fx
import torch.utils.flop_counter
import transformers
from inside import absent, alone, answer, measured

_ = transformers.AutoProcessor
alone("sglang", "sglang.srt", "sglang.srt.layers")
absent("triton", "sgl_kernel")

from sglang.srt.layers.rotary_embedding import get_rope  # noqa: E402

# The rotary modules have what they need; the configuration code asks for more.
absent("torchvision", "tvm_ffi", "sglang.kernels", "sglang.srt.layers.quantization")

from sglang.srt.configs.model_config import ModelConfig, compute_mla_mscale_scaling  # noqa: E402
from sglang.srt.utils.hf_transformers.common import get_rope_config  # noqa: E402


def configured(config: dict[str, Any], tokenizer: dict[str, Any] | None = None, asked: int | None = None) -> Any:
    """The ModelConfig of a folder with this config.json, and this tokenizer_config.json."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        if tokenizer is not None:
            (Path(folder) / "tokenizer_config.json").write_text(json.dumps(tokenizer))
        return ModelConfig(folder, context_length=asked)


def table_of(module: Any) -> Any:
    """Rows of cos and sin; of LongRoPE those for positions from the original length on."""
    if hasattr(module, "cos_sin_cache"):
        return module.cos_sin_cache
    return module.long_short_cos_sin_cache[module.original_max_position_embeddings :]


def run(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The module that SGLang makes of a rope dict in a config.json, measured by its table."""
    shape = asked["lengths"]["plain"]["config"]
    model = configured(shape | {"max_position_embeddings": asked["max_position"], "rope_scaling": rope})
    base, given = get_rope_config(model.hf_text_config)
    module = get_rope(asked["dim"], asked["dim"], asked["max_position"], base, True, given, torch.float32)
    table, half = table_of(module), asked["dim"] // 2
    powers = (len(table) - 1).bit_length()
    frequencies, length = measured(lambda at: (table[at, :half].numpy(), table[at, half:].numpy()), powers)
    return {"class": type(module).__name__, "handed": given, "inv_freq": frequencies, "m": length}


def served(case: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """How many tokens SGLang serves of a config.json."""
    return {"length": configured(case["config"], case.get("tokenizer"), case.get("asked")).context_len}


def latent(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """m of the module that DeepSeek's attention layer makes, and k, by which it multiplies its logits."""
    given = {**rope, "rope_type": "deepseek_yarn", "rope_theta": asked["base"]}
    module = get_rope(asked["dim"], asked["dim"], asked["max_position"], asked["base"], False, given, torch.float32)
    k = compute_mla_mscale_scaling(rope, 1.0)
    return {"class": type(module).__name__, "handed": given, "m": float(module.cos_sin_cache[0, 0]), "k": k}


answer(run, "sglang", "transformers", "torch", more={"lengths": served, "latent": latent})
