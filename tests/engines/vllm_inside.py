"""Runs vLLM's own configuration code and rotary modules on the CPU, within an environment that has it.

A rope dict stands in a config.json, which ModelConfig reads; get_rope is given what it made of it. Kernels of GPUs and the
executor are absent, and the class of the model is not looked up: its registry says that it generates text. No rotary code
and nothing about lengths is touched. Of DeepSeek's attention layer, which needs its kernels, the statements are run that
make the factor of its logits.
"""

import ast
import json
import math
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from inside import absent, alone, answer, measured

alone("vllm", "vllm.model_executor", "vllm.model_executor.layers")
absent("vllm.v1.attention.ops.rocm_aiter_mla_sparse", "vllm.v1.executor")

import vllm  # noqa: E402
from vllm.config import DeviceConfig, ModelConfig, VllmConfig, set_current_vllm_config  # noqa: E402
from vllm.model_executor.layers.rotary_embedding import get_rope  # noqa: E402


class _Registry:
    """What a registry of models says of any architecture."""

    def get_supported_archs(self) -> tuple[str, ...]:
        return ("Qwen3ForCausalLM",)

    def is_text_generation_model(self, *asked: Any) -> bool:
        return True

    def is_pooling_model(self, *asked: Any) -> bool:
        return False

    def inspect_model_cls(self, architectures: list[str], *asked: Any) -> tuple[Any, str]:
        names = ("supports_multimodal", "is_attention_free", "is_hybrid", "has_inner_state")
        return SimpleNamespace(**dict.fromkeys(names, False), attn_type="decoder"), architectures[0]


ModelConfig.registry = property(lambda self: _Registry())


def configured(config: dict[str, Any], tokenizer: dict[str, Any] | None = None, **settings: Any) -> Any:
    """The ModelConfig of a folder with this config.json, and this tokenizer_config.json."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        if tokenizer is not None:
            (Path(folder) / "tokenizer_config.json").write_text(json.dumps(tokenizer))
        return ModelConfig(model=folder, dtype="float32", skip_tokenizer_init=True, **settings)


def run(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The module that vLLM makes of a rope dict in a config.json, measured by its table."""
    shape = asked["lengths"]["plain"]["config"]
    model = configured(shape | {"max_position_embeddings": asked["max_position"], "rope_scaling": rope})
    given = dict(model.hf_text_config.rope_parameters)
    # LongRoPE asks what is served in all; here as many tokens as the model has positions.
    engine = VllmConfig(device_config=DeviceConfig(device="cpu"))
    engine.model_config = SimpleNamespace(max_model_len=asked["max_position"])
    with set_current_vllm_config(engine):
        module = get_rope(asked["dim"], asked["max_position"], True, given, torch.float32)
    table, half = getattr(module, "cos_sin_cache", None), asked["dim"] // 2
    if table is None:
        begin = module.original_max_position_embeddings if module.use_long_rope else 0
        table = module.long_short_cos_sin_cache[begin:]
    powers = (len(table) - 1).bit_length()
    frequencies, length = measured(lambda at: (table[at, :half].numpy(), table[at, half:].numpy()), powers)
    return {"class": type(module).__name__, "handed": given, "inv_freq": frequencies, "m": length}


def served(case: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """How many tokens vLLM serves of a config.json."""
    flags = dict.fromkeys(case.get("flags", ()), True)
    model = configured(case["config"], case.get("tokenizer"), max_model_len=case.get("asked"), **flags)
    return {"length": model.max_model_len}


def _statements() -> Any:
    """What DeepSeek's attention layer does with rope_parameters, but for making the module, as code."""
    source = (Path(vllm.__path__[0]) / "model_executor/models/deepseek_v2.py").read_text()
    tree = ast.parse(source)
    function = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "yarn_get_mscale")
    layer = next(one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "DeepseekV2MLAAttention")
    init = next(one for one in layer.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
    found = [one for one in init.body if isinstance(one, ast.If) and "rope_parameters" in ast.unparse(one.test)]
    return compile(ast.Module([function, *found], []), "deepseek_v2.py", "exec")


def latent(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """m of the module and k of the logits of DeepSeek's attention layer."""
    layer, config = SimpleNamespace(scaling=1.0), SimpleNamespace(rope_parameters={**rope, "rope_theta": asked["base"]})
    exec(_statements(), {"math": math, "self": layer, "config": config})
    with set_current_vllm_config(VllmConfig(device_config=DeviceConfig(device="cpu"))):
        module = get_rope(asked["dim"], asked["max_position"], False, config.rope_parameters, torch.float32)
    return {
        "class": type(module).__name__,
        "handed": config.rope_parameters,
        "m": float(module.cos_sin_cache[0, 0]),
        "k": layer.scaling,
    }


answer(run, "vllm", "transformers", "torch", more={"lengths": served, "latent": latent})
