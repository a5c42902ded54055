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
