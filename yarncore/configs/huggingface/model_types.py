"""What transformers 5.23.0 does by model type and a config.json does not say. Source: models/*/ of that version."""

from typing import Literal

# rope_theta where the key is absent: `default_theta` of each configuration class (10,000 unless it says otherwise).
_BASE_10K = (
    "llama mistral qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next gemma gemma2 phi phi3 falcon gpt_neox gpt_neox_japanese "
    "gptj codegen stablelm starcoder2 olmo olmo2 olmoe glm glm4 glm4_moe deepseek_v2 deepseek_v3 deepseek_v32 nemotron "
    "persimmon granite granitemoe minicpm3 mistral4 ministral3 exaone4 seed_oss cohere2 yi internlm2 baichuan"
)
BASES: dict[str, float] = dict.fromkeys(_BASE_10K.split(), 10_000.0) | {
    "apertus": 12_000_000.0, "bitnet": 500_000.0, "cohere": 500_000.0, "cwm": 1_000_000.0, "ernie4_5": 500_000.0,
    "ernie4_5_moe": 500_000.0, "flex_olmo": 500_000.0, "gpt_oss": 150_000.0, "helium": 100_000.0,
    "lfm2": 1_000_000.0, "llama4_text": 500_000.0, "llama4": 500_000.0, "longcat_flash": 10_000_000.0,
    "minimax": 1_000_000.0, "minimax_m2": 5_000_000.0, "mixtral": 1_000_000.0, "mllama_text_model": 500_000.0,
    "olmo3": 500_000.0, "phimoe": 1_000_000.0, "qwen2_vl": 1_000_000.0, "qwen2_vl_text": 1_000_000.0,
    "qwen2_5_vl": 1_000_000.0, "qwen2_5_vl_text": 1_000_000.0, "qwen3_vl": 500_000.0, "qwen3_vl_text": 500_000.0,
    "qwen3_vl_moe_text": 500_000.0, "smollm3": 2_000_000.0,
}  # fmt: skip

# partial_rotary_factor where the key is absent: `kwargs.setdefault("partial_rotary_factor", ...)`.
PARTIAL_ROTARY_FACTORS: dict[str, float] = dict.fromkeys(
    ["glm", "glm4", "glm4_moe", "glm4v_moe_text", "nemotron", "persimmon", "phi", "recurrent_gemma"], 0.5
) | dict.fromkeys(["gpt_neox", "qwen3_5_text", "qwen3_5_moe_text", "qwen3_next", "stablelm"], 0.25)

# head_dim where the key is absent, if it is not hidden_size / num_attention_heads.
HEAD_DIMS: dict[str, int] = {
    "gemma": 256, "gemma2": 256, "gemma3_text": 256, "gemma4_text": 256, "gpt_oss": 64, "glm": 128, "glm4": 128,
    "qwen3": 128, "qwen3_moe": 128, "qwen3_next": 256, "qwen3_vl_text": 128,
}  # fmt: skip

# Pairs (2i, 2i+1): `rotate_half` by [..., ::2], complex pairs, or apply_rotary_pos_emb_interleave. The last group
# reads pairs and writes halves, which gives the same logits.
INTERLEAVED = frozenset(
    [
        "cohere",
        "cohere2",
        "cohere2_moe",
        "gptj",
        "codegen",
        "glm",
        "glm4",
        "helium",
        "ernie4_5",
        "ernie4_5_moe",
        "blt",
        "moonshine",
        "llama4",
        "llama4_text",
        "deepseek_v2",
        "deepseek_v32",
        "longcat_flash",
        "glm_moe_dsa",
        "axk2",
        "bailing_hybrid",
        "mistral_large4",
    ]
)
# The same where config.rope_interleave is true, its default.
INTERLEAVED_BY_KEY = frozenset(["deepseek_v3", "kimi_k2", "glm4_moe_lite", "mistral4", "youtu", "axk1"])

# The logits are multiplied by t(s, mscale_all_dim)^2: `yarn_apply_mscale`.
SOFTMAX_MSCALE = frozenset(
    [
        "deepseek_v2",
        "deepseek_v3",
        "deepseek_v32",
        "kimi_k2",
        "glm4_moe_lite",
        "glm_moe_dsa",
        "longcat_flash",
        "minicpm3",
        "mistral4",
        "mistral_large4",
        "youtu",
        "axk1",
        "axk2",
        "bailing_hybrid",
        "hy_v4",
    ]
)

# Layers without rotation: by the list no_rope_layers (or every no_rope_layer_interval-th), or all full-attention ones.
NO_ROPE_BY_LIST = frozenset(["smollm3", "llama4", "llama4_text"])
NO_ROPE_ON_FULL_ATTENTION = frozenset(["cohere2", "exaone4"])

# A longer position on some pairs: the order of mrope_section.
SECTION_ORDERS: dict[str, Literal["contiguous", "interleaved"]] = {
    "qwen2_vl": "contiguous", "qwen2_vl_text": "contiguous", "qwen2_5_vl": "contiguous", "qwen2_5_vl_text": "contiguous",
    "qwen3_vl": "interleaved", "qwen3_vl_text": "interleaved", "qwen3_vl_moe": "interleaved",
    "qwen3_vl_moe_text": "interleaved", "qwen3_5_text": "interleaved", "qwen3_5_moe_text": "interleaved",
}  # fmt: skip

# sliding_window_pattern where neither it nor layer_types is given.
SLIDING_PATTERNS: dict[str, int] = {"gemma3_text": 6, "gemma4_text": 6, "cohere2": 4, "exaone4": 4}
