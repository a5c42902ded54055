"""Twelve kinds of model, tiny and random, each with its scaling twice: ours, and the slow reference's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import slow_reference as slow
import torch
import transformers

import yarncore as yc

L = 16  # the original length of all of them
BASE = 100.0  # so that the ramp lies within the 8 pairs of a head of 16
BETAS = {"beta_fast": 4.0, "beta_slow": 0.5}
SIZES = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": None,
}
ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": BASE}}
SHORT, LONG = tuple(1.0 + 0.02 * i for i in range(8)), tuple(1.5 + 0.4 * i for i in range(8))


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes
    ----------
    model : class of model
    config : class of configuration
    keys : what its configuration has besides SIZES
    scaling : what it is extended with; None: its own
    rotaries : by layer type (None: for all), what the reference rotates by
    functions : names of its rotation functions
    attentions : implementations of attention that transformers has for it
    """

    model: str
    config: str
    scaling: Any
    rotaries: dict[Any, slow.Rotary]
    keys: dict[str, Any] = field(default_factory=lambda: dict(ROPE))
    functions: tuple[str, ...] = ("apply_rotary_pos_emb",)
    attentions: tuple[str, ...] = ("eager", "sdpa")
    decoder: Callable[[Any], Any] = lambda model: model.base_model

    def make(self, attention: str, dtype: torch.dtype, seed: int = 0) -> Any:
        """A random model whose weights are large enough that a wrong rotation shows."""
        torch.manual_seed(seed)
        config = getattr(transformers, self.config)(**{**SIZES, **self.keys}, attn_implementation=attention)
        config._experts_implementation = "eager"  # the grouped ones know no float64
        model = getattr(transformers, self.model)(config).to(torch.float64)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(1.0 if parameter.ndim == 1 else 0.0, 0.05 if parameter.ndim == 1 else 0.25)
        return model.to(dtype).eval()


def _yarn(dim: int = 16, **changes: Any) -> dict[str, Any]:
    deepseek = changes.pop("deepseek", False)
    ours = dict(BETAS, **changes)
    if deepseek:
        ours |= {"mscale": 1.0, "mscale_all_dim": 1.0, "softmax_mscale": 1.0}
    return {
        "scaling": yc.DynamicYaRN(L, **ours),
        "rotaries": {None: slow.Rotary(slow.DynamicYaRN(BASE, dim, L, deepseek=deepseek, **BETAS, **changes))},
    }


def _sections(interleaved: bool) -> dict[str, Any]:
    counts = (3, 3, 2) if interleaved else (2, 3, 3)
    text = {"rope_parameters": {"rope_type": "default", "rope_theta": BASE, "mrope_section": list(counts)}}
    made = _yarn()
    method = made["rotaries"][None].method
    return {
        "scaling": made["scaling"],
        "rotaries": {None: slow.Rotary(method, counts, interleaved)},
        "keys": {"text_config": SIZES | text | {"head_dim": 16}, "vision_config": _VISION},
        "decoder": lambda m: m.model.language_model,
    }


_VISION = {
    "depth": 1,
    "embed_dim": 16,
    "hidden_size": 16,
    "num_heads": 2,
    "intermediate_size": 16,
    "out_hidden_size": 64,
    "num_position_embeddings": 16,
    "deepstack_visual_indexes": [0],
}
_SLIDING = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 10, "head_dim": 16}
_GEMMA_TYPES = {
    "full_attention": {"rope_type": "default", "rope_theta": BASE},
    "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
}
_DEEPSEEK = {
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 16,
    "qk_nope_head_dim": 8,
    "v_head_dim": 16,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
    "num_key_value_heads": 4,
    "rope_interleave": True,
}
_PARTIAL = {"rope_parameters": {"rope_type": "default", "rope_theta": BASE, "partial_rotary_factor": 0.5}}
_YARN = {"rope_type": "yarn", "rope_theta": BASE, "factor": 4.0, "original_max_position_embeddings": L}
_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": BASE,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": L,
}
_LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": BASE,
    "short_factor": list(SHORT),
    "long_factor": list(LONG),
    "original_max_position_embeddings": L,
    "factor": 32.0,
}

KINDS: dict[str, Kind] = {
    "llama": Kind(
        "LlamaForCausalLM", "LlamaConfig", keys={"rope_parameters": _YARN, "max_position_embeddings": 4 * L}, **_yarn()
    ),
    "llama3": Kind("LlamaForCausalLM", "LlamaConfig", keys={"rope_parameters": _LLAMA3}, **_yarn()),
    "qwen3": Kind("Qwen3ForCausalLM", "Qwen3Config", keys=ROPE | {"head_dim": 16}, **_yarn()),
    "deepseek_v3": Kind(
        "DeepseekV3ForCausalLM",
        "DeepseekV3Config",
        keys=ROPE | _DEEPSEEK,
        functions=("apply_rotary_pos_emb", "apply_rotary_pos_emb_interleave"),
        **_yarn(deepseek=True),
    ),
    "gpt_oss": Kind(
        "GptOssForCausalLM",
        "GptOssConfig",
        keys=ROPE | _SLIDING | {"num_local_experts": 4, "num_experts_per_tok": 2},
        attentions=("eager",),  # transformers has no sdpa for its sinks
        **_yarn(truncate=False),
    ),
    "gemma3": Kind(
        "Gemma3ForCausalLM",
        "Gemma3TextConfig",
        keys=_SLIDING | {"query_pre_attn_scalar": 16, "rope_parameters": _GEMMA_TYPES},
        scaling={"full_attention": yc.DynamicYaRN(L, **BETAS)},
        rotaries={
            "full_attention": slow.Rotary(slow.DynamicYaRN(BASE, 16, L, **BETAS)),
            "sliding_attention": slow.Rotary(slow.Plain(50.0, 16)),
        },
    ),
    "phi3": Kind(
        "Phi3ForCausalLM",
        "Phi3Config",
        keys={"rope_parameters": _LONGROPE, "original_max_position_embeddings": L},
        scaling=None,
        rotaries={None: slow.Rotary(slow.LongRoPE(BASE, 16, L, 32.0, SHORT, LONG))},
    ),
    "gpt_neox": Kind("GPTNeoXForCausalLM", "GPTNeoXConfig", keys=_PARTIAL, **_yarn(dim=8)),
    "phi": Kind("PhiForCausalLM", "PhiConfig", keys=_PARTIAL, **_yarn(dim=8)),
    "qwen2_vl": Kind("Qwen2VLForConditionalGeneration", "Qwen2VLConfig", **_sections(False)),
    "qwen3_vl": Kind("Qwen3VLForConditionalGeneration", "Qwen3VLConfig", **_sections(True)),
    "llama_ntk": Kind(
        "LlamaForCausalLM",
        "LlamaConfig",
        scaling=yc.DynamicNTK(L, 2.0),
        rotaries={None: slow.Rotary(slow.DynamicNTK(BASE, 16, L, 2.0))},
    ),
}
