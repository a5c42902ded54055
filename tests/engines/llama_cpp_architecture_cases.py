"""Architectures of llama.cpp that are asked how each of their layers turns: key-values of a tiny model, and a command line."""

from typing import Any

HEAD_DIM, LAYERS, BASE = 64, 8, 500_000.0
# Keys that any architecture may ask for.
_SHAPE: dict[str, Any] = {
    "context_length": 4096, "embedding_length": 128, "block_count": LAYERS, "feed_forward_length": 96, "vocab_size": 64,
    "attention.head_count": 2, "attention.head_count_kv": 1, "attention.key_length": HEAD_DIM, "attention.value_length": HEAD_DIM,
    "attention.layer_norm_rms_epsilon": 1e-6, "attention.layer_norm_epsilon": 1e-6, "attention.sliding_window": 128,
    "rope.dimension_count": HEAD_DIM, "rope.freq_base": BASE,
}  # fmt: skip
_EXPERTS = {
    "expert_count": 2,
    "expert_used_count": 1,
    "expert_feed_forward_length": 96,
    "leading_dense_block_count": LAYERS,
}
_PATTERN = {"attention.sliding_window_pattern": [False, True, True, False, True, True, True, False]}
_SSM = {
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 256,
    "ssm.state_size": 128,
    "ssm.time_step_rank": 2,
    "ssm.group_count": 1,
}
_MLA = {
    "leading_dense_block_count": LAYERS, "attention.q_lora_rank": 48, "attention.kv_lora_rank": 32, "attention.head_count_kv": 1,
    "attention.key_length": 32 + HEAD_DIM, "attention.value_length": 32, "attention.key_length_mla": 32 + HEAD_DIM,
    "attention.value_length_mla": 64, "expert_count": 2, "expert_used_count": 1, "expert_shared_count": 1,
    "expert_feed_forward_length": 96, "expert_weights_scale": 1.0, "expert_gating_func": 1,
}  # fmt: skip
_SLICE = {"attention.q_lora_rank": 48, "attention.kv_lora_rank": 32, "attention.key_length": 96}
_CONTIGUOUS = {"rope.dimension_sections": [8, 12, 12, 0]}
_DEALT = {"rope.dimension_sections": [12, 10, 10, 0]}
_SHAPES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("deepseek2", "mistral4", "deepseek32", "glm-dsa"), _MLA),
    **dict.fromkeys(("minicpm3", "plm"), _SLICE),
    **dict.fromkeys(
        (
            "exaone-moe", "llama4", "smallthinker", "afmoe", "laguna", "mellum", "qwen2moe", "qwen3moe", "olmoe", "phimoe", "arctic",
            "dbrx", "deepseek", "dots1", "bailingmoe", "bailingmoe2", "hunyuan-moe", "minimax-m2", "ernie4_5-moe", "granitemoe",
            "llada-moe", "rnd1", "grovemoe", "glm4moe", "cohere2moe", "lfm2moe", "qwen35moe", "qwen3next", "qwen3vlmoe", "mimo2",
            "step35", "maple", "gpt-oss", "hy_v3",
        ),
        _EXPERTS,
    ),
    "gpt-oss": _EXPERTS | {"leading_dense_block_count": 0},
    "glm4moe": _EXPERTS | {"expert_shared_count": 1},
    "exaone-moe": _EXPERTS | {"expert_shared_count": 1},
    "mimo2": _EXPERTS | _PATTERN,
    "step35": _EXPERTS | _PATTERN,
    "maple": _EXPERTS | _PATTERN,
    "spark2_5": _PATTERN,
    "granite_swa": _PATTERN,
    "gemma4": _PATTERN | {"attention.key_length_swa": 32, "attention.value_length_swa": 32, "rope.dimension_count_swa": 32},
    "minimax-m2": _EXPERTS | {"expert_gating_func": 2},
    "smallthinker": _EXPERTS | {"expert_gating_func": 2},
    "olmoe": _EXPERTS | {"attention.head_count_kv": 2},
    "exaone4": {"block_count": 64},
    "baichuan": {"block_count": 32},
    "gptneox": {"use_parallel_residual": True},
    **dict.fromkeys(("qwen2vl", "paddleocr"), _CONTIGUOUS),
    "qwen3vl": _DEALT,
    "qwen3vlmoe": _EXPERTS | _DEALT,
    "qwen35": _SSM | {"rope.dimension_sections": [6, 5, 5, 0], "rope.dimension_count": 32},
    "qwen35moe": _SSM | _EXPERTS | {"rope.dimension_sections": [6, 5, 5, 0], "rope.dimension_count": 32},
    "qwen3next": _SSM | _EXPERTS | {"rope.dimension_count": 16},
    "falcon-h1": _SSM,
    **dict.fromkeys(("plamo2", "granitehybrid"), _SSM | {"attention.head_count_kv": [0, 0, 1, 0, 0, 0, 1, 0]}),
    "lfm2": {"attention.head_count_kv": [0, 0, 1, 0, 0, 0, 1, 0]},
    "lfm2moe": _EXPERTS | {"attention.head_count_kv": [0, 0, 1, 0, 0, 0, 1, 0]},
}  # fmt: skip
_STILL_TENSOR = {"rope_freqs.weight": [1.0] * 8 + [1e30] * 24}
_TENSORS: dict[str, dict[str, Any]] = {"gemma4": _STILL_TENSOR}
PLAIN = (
    "afmoe", "apertus", "arcee", "arctic", "baichuan", "bailingmoe", "bailingmoe2", "bitnet", "chameleon", "chatglm", "codeshell",
    "cohere2", "cohere2moe", "command-r", "dbrx", "deci", "deepseek", "deepseek2", "deepseek32", "dots1", "dream", "ernie4_5",
    "ernie4_5-moe", "exaone", "exaone-moe", "exaone4", "falcon", "falcon-h1", "gemma", "gemma2", "gemma3", "gemma3n", "gemma4", "glm-dsa",
    "glm4", "glm4moe", "gpt-oss", "gptneox", "granite", "granite_swa", "granitehybrid", "granitemoe", "grovemoe", "hunyuan-dense",
    "hunyuan-moe", "hunyuan_vl", "hy_v3", "internlm2", "jais2", "laguna", "lfm2", "lfm2moe", "llada", "llada-moe", "llama", "llama4",
    "maincoder", "maple", "mellum", "mimo2", "minicpm", "minicpm3", "minimax-m2", "mistral3", "mistral4", "muse-glimmer", "nemotron",
    "olmo", "olmo2", "olmoe", "openelm", "orion", "paddleocr", "pangu-embedded", "phi2", "phimoe", "plamo2", "plamo3", "plm",
    "qwen", "qwen2", "qwen2moe", "qwen2vl", "qwen3", "qwen35", "qwen35moe", "qwen3moe", "qwen3next", "qwen3vl", "qwen3vlmoe", "rnd1",
    "seed_oss", "smallthinker", "smollm3", "spark2_5", "stablelm", "starcoder", "starcoder2", "step35", "xverse",
)  # fmt: skip


_RECURRENT = ["attn_qkv.weight", "attn_gate.weight"]
_INDEXER = [
    "indexer.k_norm.weight", "indexer.k_norm.bias", "indexer.proj.weight", "indexer.attn_k.weight", "indexer.attn_q_b.weight",
]  # fmt: skip
# Tensors that the library does not ask for, and cannot do without: of which layers.
_UNASKED: dict[str, tuple[list[str], list[int]]] = {
    "qwen35": (_RECURRENT, [0, 1, 2, 4, 5, 6]),
    "qwen35moe": (_RECURRENT, [0, 1, 2, 4, 5, 6]),
    "qwen3next": (_RECURRENT, [0, 1, 2, 4, 5, 6]),
    "granitehybrid": (["ssm_conv1d.bias"], [0, 1, 3, 4, 5, 7]),
    "falcon-h1": (["ssm_conv1d.bias"], list(range(LAYERS))),
    "glm-dsa": (_INDEXER, list(range(LAYERS))),
}


def case(architecture: str, flags: str = "", **keys: Any) -> dict[str, Any]:
    """A file and a command line; a key that is None is left out."""
    tensors = _TENSORS.get(architecture, {})
    shape = _SHAPE | _SHAPES.get(architecture, {}) | keys
    own = {f"{architecture}.{key}": value for key, value in shape.items() if value is not None}
    names, layers = _UNASKED.get(architecture, ([], []))
    also = [f"blk.{layer}.{name}" for layer in layers for name in names]
    return {"gguf": {"general.architecture": architecture} | own | tensors, "also": also, "flags": flags, "n_ctx": 1024}


_YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 1024}
_LINEAR = {"rope.scaling.type": "linear", "rope.scaling.factor": 8.0}
_BY_FLAGS = "--rope-scaling yarn --rope-scale 4 --yarn-orig-ctx 1024"
_WINDOW_BASE = {"rope.freq_base_swa": 20_000.0}
_PERIOD_3 = {"attention.sliding_window_pattern": 3}
_LISTED = {"attention.sliding_window_pattern": [True, False, False, True, True, False, True, True]}
_NO_WINDOW = {"attention.sliding_window": None}


def _cases() -> dict[str, dict[str, Any]]:
    found = {f"{name}: plain": case(name) for name in PLAIN}
    for name in (
        "gemma2", "gemma3", "cohere2", "olmo2", "gpt-oss", "llama4", "smollm3", "mimo2", "step35", "plamo3", "afmoe",
        "muse-glimmer", "qwen3vl", "exaone4", "mistral4", "smallthinker",
    ):  # fmt: skip
        found[f"{name}: yarn"] = case(name, **_YARN)
        found[f"{name}: yarn by flags"] = case(name, _BY_FLAGS)
    for name in ("gemma2", "gemma3", "cohere2", "olmo2", "gpt-oss", "llama4", "mimo2", "muse-glimmer"):
        found[f"{name}: rope.freq_base_swa"] = case(name, **_WINDOW_BASE)
        found[f"{name}: linear"] = case(name, **_LINEAR)
        found[f"{name}: --rope-freq-base"] = case(name, "--rope-freq-base 1000000")
    for name in ("gpt-oss", "gemma3", "cohere2"):
        found[f"{name}: yarn, --rope-scaling none"] = case(name, "--rope-scaling none", **_YARN)
        found[f"{name}: yarn, --yarn-orig-ctx"] = case(name, "--yarn-orig-ctx 2048", **_YARN)
        found[f"{name}: yarn, --rope-scale"] = case(name, "--rope-scale 8", **_YARN)
        found[f"{name}: type none and a factor"] = case(name, **_LINEAR | {"rope.scaling.type": "none"})
        found[f"{name}: yarn, the key attn_factor"] = case(name, **_YARN, **{"rope.scaling.attn_factor": 0.5})
    for name in ("gemma3", "olmo2", "smallthinker", "plamo3", "llama4", "mellum"):  # without them afmoe crashes
        found[f"{name}: no window"] = case(name, **_NO_WINDOW)
        found[f"{name}: a window of 0"] = case(name, **{"attention.sliding_window": 0})
    for name in ("gemma3", "cohere2", "smallthinker", "afmoe", "llama4"):
        found[f"{name}: a period of 3"] = case(name, **_PERIOD_3)
        found[f"{name}: layers listed"] = case(name, **_LISTED)
    found |= {
        "exaone4: 8 layers": case("exaone4", block_count=LAYERS),
        "baichuan: 40 layers": case("baichuan", block_count=40),
        "granite: not finetuned": case("granite", **{"rope.scaling.finetuned": False}),
        "granitehybrid: not finetuned": case("granitehybrid", **{"rope.scaling.finetuned": False}),
        "granite_swa: a pattern": case("granite_swa", **{"attention.rope_pattern": [1, 1, 0, 1, 0, 1, 1, 0]}),
        "glm4: sections": case("glm4", **{"rope.dimension_sections": [8, 12, 12, 0]}),
        "glm4moe: sections": case("glm4moe", **{"rope.dimension_sections": [8, 12, 12, 0]}),
        "glm4: half of a head": case("glm4", **{"rope.dimension_count": 32}),
        "hunyuan_vl: sections": case("hunyuan_vl", **{"rope.dimension_sections": [16, 16, 0, 0]}),
        "hunyuan-dense: alpha": case("hunyuan-dense", **{"rope.scaling.alpha": 1000.0}),
        "ernie4_5: sections": case("ernie4_5", **{"rope.dimension_sections": [8, 12, 12, 0]}),
        "gemma4: windows turn half": case("gemma4", **{"rope.dimension_count_swa": 16}),
        "mimo2: a third of a head": case("mimo2", **{"rope.dimension_count": 22}),
        "step35: rope.freq_base_swa": case("step35", **_WINDOW_BASE),
        "mistral4: yarn_log_multiplier": case("mistral4", **_YARN, **{"rope.scaling.yarn_log_multiplier": 0.1}),
        "deepseek32: yarn_log_multiplier 0.0707": case(
            "deepseek32", **_YARN, **{"rope.scaling.yarn_log_multiplier": 0.0707}
        ),
        "glm-dsa: yarn": case("glm-dsa", **_YARN),
        "mistral4: yarn_log_multiplier 0.0707": case(
            "mistral4", **_YARN, **{"rope.scaling.yarn_log_multiplier": 0.0707}
        ),
        "cohere2moe: two dense layers": case("cohere2moe", leading_dense_block_count=2),
    }
    return found


ARCHITECTURE_CASES = _cases()
