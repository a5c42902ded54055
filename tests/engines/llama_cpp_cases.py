"""GGUF files and flags that llama.cpp is asked about: key-values of a whole tiny model, and a command line over it."""

from typing import Any

HEAD_DIM, WIDTH, LAYERS, WORDS, BASE = 64, 128, 2, 64, 10_000.0
CONTEXT = 1024
"""Tokens of a context, where a case does not say otherwise."""

_SHORT = [1.0 + 0.01 * i for i in range(32)]
_LONG = [1.0 + 0.5 * i for i in range(32)]
_FREQS = [1.0 + 7.0 * i / 31 for i in range(32)]

# Keys without which a file is not loaded.
_SHAPE: dict[str, Any] = {
    "context_length": 4096, "embedding_length": WIDTH, "block_count": LAYERS, "feed_forward_length": 96,
    "attention.head_count": 2, "attention.head_count_kv": 1, "attention.key_length": HEAD_DIM, "attention.value_length": HEAD_DIM,
    "attention.layer_norm_rms_epsilon": 1e-6, "vocab_size": WORDS, "rope.dimension_count": HEAD_DIM, "rope.freq_base": BASE,
}  # fmt: skip
_SHAPES: dict[str, dict[str, Any]] = {
    "deepseek2": {
        "leading_dense_block_count": LAYERS, "attention.q_lora_rank": 48, "attention.kv_lora_rank": 32, "attention.head_count_kv": 1,
        "attention.key_length": 32 + HEAD_DIM, "attention.value_length": 32, "attention.key_length_mla": 32 + HEAD_DIM,
        "attention.value_length_mla": 64, "expert_count": 2, "expert_used_count": 1, "expert_shared_count": 1,
        "expert_feed_forward_length": 96, "expert_weights_scale": 1.0, "expert_gating_func": 1,
    },
    "gpt-oss": {
        "attention.sliding_window": 128, "expert_count": 2, "expert_used_count": 1, "expert_feed_forward_length": 96,
        "rope.freq_base": 150_000.0,
    },
    "phi3": {"attention.head_count_kv": 2},
}  # fmt: skip


def case(architecture: str, flags: str = "", n_ctx: int = CONTEXT, **keys: Any) -> dict[str, Any]:
    """A file and a command line; of keys of rope.scaling the last word, tensors of divisors under their own names."""
    tensors = {key: value for key, value in keys.items() if key.endswith(".weight")}
    shape = _SHAPE | _SHAPES.get(architecture, {})
    for key, value in keys.items():
        if key not in tensors:
            shape[key if key == "context_length" or key.startswith("rope.") else f"rope.scaling.{key}"] = value
    own = {f"{architecture}.{key}": value for key, value in shape.items()}
    return {"gguf": {"general.architecture": architecture} | own | tensors, "flags": flags, "n_ctx": n_ctx}


_YARN = {"type": "yarn", "factor": 4.0, "original_context_length": 256}
_BY_FLAGS = "--rope-scaling yarn --rope-scale 4 --yarn-orig-ctx 256"
_BETAS = {"yarn_beta_fast": 16.0, "yarn_beta_slow": 2.0}
_T = 0.1 * 1.3862943611198906 + 1  # of s = 4
_PHI3 = {
    "original_context_length": 512, "attn_factor": 1.1, "rope_factors_short.weight": _SHORT, "rope_factors_long.weight": _LONG,
}  # fmt: skip
_SMALL = {"context_length": 256}


def _cases() -> dict[str, dict[str, Any]]:
    yarn_flags = {
        "a flag for attn_factor": "--yarn-attn-factor 0.5",
        "flags for betas": "--yarn-beta-fast 16 --yarn-beta-slow 2",
        "a flag for one beta": "--yarn-beta-fast 16",
        "a flag for ext_factor 0": "--yarn-ext-factor 0",
        "flags for ext_factor 0 and attn_factor": "--yarn-ext-factor 0 --yarn-attn-factor 0.5",
        "a flag for ext_factor between": "--yarn-ext-factor 0.5",
        "--rope-scaling none": "--rope-scaling none",
        "--rope-scaling linear": "--rope-scaling linear",
        "--rope-freq-scale": "--rope-freq-scale 0.125",
        "--rope-scale": "--rope-scale 8",
        "--rope-freq-base": "--rope-freq-base 500000",
        "--yarn-orig-ctx": "--yarn-orig-ctx 512",
    }
    yarn_keys = {
        "the key yarn_attn_factor": {"yarn_attn_factor": 0.5},
        "the key attn_factor": {"attn_factor": 0.5},
        "the key attn_factor that makes m = 1": {"attn_factor": 1 / _T},
        "the key yarn_ext_factor 0": {"yarn_ext_factor": 0.0},
        "keys for betas": _BETAS,
        "the key yarn_log_multiplier 1": {"yarn_log_multiplier": 1.0},
        "the key yarn_log_multiplier 0.707": {"yarn_log_multiplier": 0.707},
        "s = 40": {"factor": 40.0},
        "s = 1": {"factor": 1.0},
        "s = 1/2": {"factor": 0.5},
        "base 500000": {"rope.freq_base": 500_000.0},
    }
    plain_flags = {
        "plain, nothing": "",
        "plain, yarn by flags": _BY_FLAGS,
        "plain, yarn by flags with --rope-freq-scale": "--rope-scaling yarn --rope-freq-scale 0.25 --yarn-orig-ctx 256",
        "plain, yarn by flags without --yarn-orig-ctx": "--rope-scaling yarn --rope-scale 4",
        "plain, yarn by flags without a scale": "--rope-scaling yarn --yarn-orig-ctx 256",
        "plain, --rope-scale alone": "--rope-scale 4",
        "plain, linear by flags": "--rope-scaling linear --rope-scale 4",
        "plain, --rope-freq-base": "--rope-freq-base 500000",
        "plain, yarn by flags, betas": f"{_BY_FLAGS} --yarn-beta-fast 16 --yarn-beta-slow 2",
        "plain, yarn by flags, attn_factor": f"{_BY_FLAGS} --yarn-attn-factor 0.5",
        "plain, yarn by flags, ext_factor 0": f"{_BY_FLAGS} --yarn-ext-factor 0",
    }
    found = {f"qwen3: {name}": case("qwen3", flags, **_SMALL) for name, flags in plain_flags.items()}
    found |= {f"qwen3: yarn, {name}": case("qwen3", flags, **_YARN) for name, flags in yarn_flags.items()}
    for architecture in ("qwen3", "llama", "mistral3", "deepseek2"):
        found[f"{architecture}: yarn"] = case(architecture, **_YARN)
        found |= {
            f"{architecture}: yarn, {name}": case(architecture, **_YARN | keys) for name, keys in yarn_keys.items()
        }
    for name in ("--yarn-attn-factor 0.5", "--yarn-ext-factor 0"):
        found[f"deepseek2: yarn, the key yarn_log_multiplier 0.0707, {name}"] = case(
            "deepseek2", name, **_YARN, yarn_log_multiplier=0.0707
        )
    found |= {
        "deepseek2: yarn, the key yarn_log_multiplier 0.0707": case("deepseek2", **_YARN, yarn_log_multiplier=0.0707),
        "deepseek2: yarn, the key yarn_log_multiplier 0.1, s = 40": case(
            "deepseek2", **_YARN | {"factor": 40.0, "yarn_log_multiplier": 0.1}
        ),
        "deepseek2: yarn, the key yarn_log_multiplier 0": case("deepseek2", **_YARN, yarn_log_multiplier=0.0),
        "deepseek2: plain, yarn by flags": case("deepseek2", _BY_FLAGS, **_SMALL),
        "mistral3: yarn, the key yarn_log_multiplier 0": case("mistral3", **_YARN, yarn_log_multiplier=0.0),
        "mistral3: yarn, keys for betas, and flags": case("mistral3", "--yarn-beta-fast 8", **_YARN, **_BETAS),
        "llama: plain, yarn by flags": case("llama", _BY_FLAGS, **_SMALL),
        "llama: rope_freqs alone": case("llama", **{"rope_freqs.weight": _FREQS}),
        "llama: rope_freqs and yarn": case("llama", **_YARN, **{"rope_freqs.weight": _FREQS}),
        "qwen3: yarn, no original length": case("qwen3", type="yarn", factor=4.0, context_length=1024),
        "qwen3: yarn, no factor": case("qwen3", type="yarn", original_context_length=256),
        "qwen3: linear": case("qwen3", type="linear", factor=4.0),
        "qwen3: linear, the key attn_factor": case("qwen3", type="linear", factor=4.0, attn_factor=0.5),
        "qwen3: a factor without a type": case("qwen3", factor=4.0),
        "qwen3: rope.scale_linear": case("qwen3", **{"rope.scale_linear": 4.0}),
        "qwen3: type none and a factor": case("qwen3", type="none", factor=4.0),
        "qwen3: a type that it does not know": case("qwen3", type="dynamic", factor=4.0),
        "llama: yarn, half of a head turns": case("llama", **_YARN, **{"rope.dimension_count": 32}),
        "phi3: yarn": case("phi3", **_YARN),
        "phi3: yarn, half of a head turns": case("phi3", **_YARN, **{"rope.dimension_count": 32}),
        "phi3: divisors, a context of the original length": case("phi3", n_ctx=512, **_PHI3),
        "phi3: divisors, a context beyond the original length": case("phi3", **_PHI3),
        "phi3: divisors, type longrope and a factor": case("phi3", **_PHI3, type="longrope", factor=8.0),
        "phi3: divisors, yarn by flags": case("phi3", _BY_FLAGS, **_PHI3),
        "gpt-oss: yarn": case("gpt-oss", **_YARN | {"factor": 32.0}),
        "gpt-oss: yarn, --rope-scale": case("gpt-oss", "--rope-scale 64", **_YARN | {"factor": 32.0}),
    }  # fmt: skip
    return found


LLAMA_CPP_CASES = _cases()
