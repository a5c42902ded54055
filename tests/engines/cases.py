"""Rope dicts that every engine is asked about, in the words of transformers."""

from typing import Any

_SHORT = [1.0 + 0.01 * i for i in range(32)]
_LONG = [1.0 + 0.5 * i for i in range(32)]
_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}
_LONGROPE = {
    "rope_type": "longrope",
    "short_factor": _SHORT,
    "long_factor": _LONG,
    "original_max_position_embeddings": 4096,
}
_LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 4096,
}  # fmt: skip

DIM, BASE, MAX_POSITION = 64, 10000.0, 16384

CASES: dict[str, dict[str, Any]] = {
    "default": {"rope_type": "default"},
    "linear": {"rope_type": "linear", "factor": 4.0},
    "yarn": _YARN,
    "yarn, s = 40": _YARN | {"factor": 40.0},
    "yarn, s = 1": _YARN | {"factor": 1.0},
    "yarn, type alone": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096},
    "yarn, types that disagree": _YARN | {"type": "linear"},
    "yarn, betas": _YARN | {"beta_fast": 16.0, "beta_slow": 2.0},
    "yarn, equal betas": _YARN | {"beta_fast": 1.0, "beta_slow": 1.0},
    "yarn, truncate false": _YARN | {"truncate": False},
    "yarn, attention_factor 1": _YARN | {"attention_factor": 1.0},
    "yarn, attn_factor": _YARN | {"attn_factor": 0.9},
    "yarn, mscale alone": _YARN | {"mscale": 0.707},
    "yarn, mscale_all_dim alone": _YARN | {"mscale_all_dim": 0.5},
    "yarn, both": _YARN | {"mscale": 0.707, "mscale_all_dim": 0.5},
    "yarn, mscale_all_dim 0": _YARN | {"mscale": 0.707, "mscale_all_dim": 0.0},
    "yarn, no original length": {"rope_type": "yarn", "factor": 4.0},
    "yarn, no factor": {"rope_type": "yarn", "original_max_position_embeddings": 4096},
    "llama3": _LLAMA3,
    "llama3, another length": _LLAMA3 | {"original_max_position_embeddings": 8192, "factor": 32.0},
    "longrope": _LONGROPE,
    "longrope, attention_factor": _LONGROPE | {"attention_factor": 1.5},
    "su": _LONGROPE | {"rope_type": "su"},
    "unknown": {"rope_type": "yarn2", "factor": 4.0},
}
# For an engine that fails where nothing is said of them.
WITH_BETAS: dict[str, dict[str, Any]] = {
    f"{name}, betas given": {**rope, "beta_fast": 32.0, "beta_slow": 1.0}
    for name, rope in CASES.items()
    if rope.get("rope_type", rope.get("type")) == "yarn" and "beta_fast" not in rope
}

_SHAPE = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 512, "num_attention_heads": 8,
    "num_key_value_heads": 8, "num_hidden_layers": 2, "head_dim": DIM, "intermediate_size": 64, "vocab_size": 128,
    "rope_theta": BASE, "max_position_embeddings": 4096,
}  # fmt: skip
_RAISED = {"max_position_embeddings": MAX_POSITION}
_LINEAR = {"rope_type": "linear", "factor": 4.0}
_LAYERS = {
    "full_attention": _LINEAR | {"rope_theta": BASE},
    "sliding_attention": {"rope_type": "default", "rope_theta": BASE},
}
_KINDS = {"layer_types": ["sliding_attention", "full_attention"], "use_sliding_window": True, "sliding_window": 1024}
_DYNAMIC = {"rope_type": "dynamic", "factor": 4.0}
_NO_LENGTH = {key: value for key, value in _LONGROPE.items() if key != "original_max_position_embeddings"}
# Whole configurations, of which an engine derives how many tokens it serves; "asked": tokens that a flag asks for.
_LENGTHS: dict[str, dict[str, Any]] = {
    "plain": {},
    "plain, more asked": {"asked": 4097},
    "yarn": {"rope_parameters": _YARN},
    "yarn, length raised": {"rope_parameters": _YARN, **_RAISED},
    "yarn, more asked": {"rope_parameters": _YARN, "asked": 16384},
    "yarn, no original length": {"rope_parameters": CASES["yarn, no original length"]},
    "linear": {"rope_parameters": _LINEAR},
    "linear, original length": {"rope_parameters": _LINEAR | {"original_max_position_embeddings": 4096}},
    "linear, what it extends to asked": {"rope_parameters": _LINEAR, "asked": 16384},
    "linear, in one of two layer types": {"rope_parameters": _LAYERS, **_KINDS},
    "linear, gemma3": {"model_type": "gemma3_text", "rope_parameters": _LAYERS, **_KINDS},
    "dynamic": {"rope_parameters": _DYNAMIC},
    "dynamic, original length": {"rope_parameters": _DYNAMIC | {"original_max_position_embeddings": 4096}},
    "default, factor": {"rope_parameters": {"rope_type": "default", "factor": 4.0}},
    "proportional, factor": {"rope_parameters": {"rope_type": "proportional", "factor": 4.0}},
    "llama3": {"rope_parameters": _LLAMA3},
    "llama3, length raised": {"rope_parameters": _LLAMA3, **_RAISED},
    "longrope, original length inside": {"rope_parameters": _LONGROPE, **_RAISED},
    "longrope, original length beside": {"rope_parameters": _NO_LENGTH, "original_max_position_embeddings": 4096, **_RAISED},
    "longrope, original length beside, more asked": {
        "rope_parameters": _NO_LENGTH, "original_max_position_embeddings": 4096, **_RAISED, "asked": 16384,
    },
    "tokenizer, model_max_length smaller": {"tokenizer": {"model_max_length": 1024}},
    "tokenizer, model_max_length larger": {"tokenizer": {"model_max_length": 8192}, "asked": 8192},
    "sliding_window": {"sliding_window": 1024, "use_sliding_window": True},
    "sliding_window 0": {"sliding_window": 0},
    "sliding window disabled": {"sliding_window": 1024, "use_sliding_window": True, "flags": ["disable_sliding_window"]},
    "model_max_length smaller, more asked": {"model_max_length": 1024, "asked": 2048},
    "model_max_length larger, more asked": {"model_max_length": 8192, "asked": 8193},
    "model_max_length smaller, linear": {"model_max_length": 1024, "rope_parameters": _LINEAR},
    "two other lengths": {"max_seq_len": 8192, "seq_length": 2048},
}  # fmt: skip
for _key in ("model_max_length", "seq_length", "max_seq_len", "max_sequence_length", "max_seq_length", "seq_len", "n_positions",
             "max_target_positions"):  # fmt: skip
    _LENGTHS |= {f"{_key} smaller": {_key: 1024}, f"{_key} larger": {_key: 8192}}
_BESIDE = ("tokenizer", "asked", "flags")
LENGTHS = {
    name: {
        "config": _SHAPE | {key: value for key, value in given.items() if key not in _BESIDE},
        **{key: given[key] for key in _BESIDE if key in given},
    }
    for name, given in _LENGTHS.items()
}

# Rope dicts of multi-head latent attention, whose logits carry a factor of their own.
_LATENT = {"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096}
LATENT: dict[str, dict[str, Any]] = {
    "neither": _LATENT,
    "both": _LATENT | {"mscale": 0.707, "mscale_all_dim": 0.707},
    "both 1": _LATENT | {"mscale": 1.0, "mscale_all_dim": 1.0},
    "both, s = 1": _LATENT | {"mscale": 1.0, "mscale_all_dim": 1.0, "factor": 1.0},
    "mscale alone": _LATENT | {"mscale": 0.707},
    "mscale_all_dim alone": _LATENT | {"mscale_all_dim": 0.707},
    "mscale_all_dim 0": _LATENT | {"mscale": 0.707, "mscale_all_dim": 0.0},
    "attention_factor 1": _LATENT | {"mscale": 1.0, "mscale_all_dim": 1.0, "attention_factor": 1.0},
    "attention_factor 1.2": _LATENT | {"mscale": 1.0, "mscale_all_dim": 1.0, "attention_factor": 1.2},
    "apply_yarn_scaling false": _LATENT | {"mscale": 1.0, "mscale_all_dim": 1.0, "apply_yarn_scaling": False},
    "apply_scale false": _LATENT | {"mscale": 1.0, "mscale_all_dim": 1.0, "apply_scale": False},
}
