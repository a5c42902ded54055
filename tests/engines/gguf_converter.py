"""What llama.cpp's converter writes into a GGUF file for configurations of transformers.

python tests/engines/gguf_converter.py CHECKOUT          of ggml-org/llama.cpp; writes gguf_converter.json beside this file

Weights and vocabularies are left out: the converter's class is made of a config.json, and sets the key-values. PyTorch,
transformers and what the converter imports are needed.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

RESULT = Path(__file__).with_suffix(".json")
_SMALL = {"num_hidden_layers": 8}
_IN_TRANSFORMERS = {"ExaoneMoEForCausalLM": "ExaoneMoeForCausalLM"}
# The class that config.json names; what is not as the class of the configuration has it.
CASES: dict[str, dict[str, Any]] = {
    "AfmoeForCausalLM": {},
    "ApertusForCausalLM": {},
    "BailingMoeV2ForCausalLM": {
        "model_type": "bailing_moe_v2", "vocab_size": 64, "head_dim": 128, "num_attention_heads": 4, "num_key_value_heads": 2,
        "hidden_size": 512, "intermediate_size": 64, "rope_theta": 6e5, "partial_rotary_factor": 0.5, "first_k_dense_replace": 1,
        "num_experts": 2, "num_experts_per_tok": 1, "num_shared_experts": 1, "moe_intermediate_size": 64, "norm_topk_prob": True,
        "routed_scaling_factor": 1.0, "score_function": "sigmoid", "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
        "moe_shared_expert_intermediate_size": 64, "n_group": 1, "topk_group": 1,
    },
    "Cohere2ForCausalLM": {"rotary_pct": 1.0},
    "DeepseekV3ForCausalLM": {},
    "DeepseekV32ForCausalLM": {},
    "Ernie4_5_MoeForCausalLM": {},
    "Exaone4ForCausalLM": {"num_hidden_layers": 64},
    "ExaoneMoEForCausalLM": {},
    "FalconH1ForCausalLM": {"head_dim": 64},
    "Gemma2ForCausalLM": {},
    "Gemma3ForCausalLM": {
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        }
    },
    "Gemma3nForCausalLM": {"num_hidden_layers": 30},
    "Gemma4ForCausalLM": {"moe_intermediate_size": 64},
    "Glm4ForCausalLM": {},
    "Glm4MoeForCausalLM": {"head_dim": 128},
    "Glm4vForConditionalGeneration": {
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [8, 12, 12], "partial_rotary_factor": 0.5}
    },
    "GptOssForCausalLM": {},
    "GraniteMoeHybridForCausalLM": {
        "position_embedding_type": "nope", "layer_types": ["mamba", "mamba", "attention", "mamba"] * 2,
    },
    "HunYuanDenseV1ForCausalLM": {
        "head_dim": 128, "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "alpha": 1000, "factor": 1.0},
        "max_position_embeddings": 32768,
    },
    "LagunaForCausalLM": {
        "layer_types": (["full_attention"] + ["sliding_attention"] * 3) * 2,
        "rope_parameters": {
            "full_attention": {
                "rope_type": "yarn", "rope_theta": 5e5, "factor": 32.0, "original_max_position_embeddings": 4096,
                "partial_rotary_factor": 0.5,
            },
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1.0},
        },
    },
    "Lfm2ForCausalLM": {},
    "Llama4ForConditionalGeneration": {},
    "MellumForCausalLM": {"layer_types": (["sliding_attention"] * 3 + ["full_attention"]) * 2},
    "MiMoV2FlashForCausalLM": {
        "model_type": "mimo_v2_flash", "vocab_size": 64, "head_dim": 192, "v_head_dim": 128, "swa_head_dim": 192, "swa_v_head_dim": 128,
        "num_attention_heads": 4, "num_key_value_heads": 2, "swa_num_attention_heads": 4, "swa_num_key_value_heads": 2,
        "hidden_size": 512, "intermediate_size": 64, "rope_theta": 5e6, "swa_rope_theta": 1e4, "partial_rotary_factor": 0.334,
        "hybrid_layer_pattern": [0, 1, 1, 1, 1, 1, 0, 1], "sliding_window": 128, "moe_intermediate_size": 64, "n_routed_experts": 2,
        "num_experts_per_tok": 1, "max_position_embeddings": 4096, "layernorm_epsilon": 1e-6, "moe_layer_freq": [0] * 8,
        "norm_topk_prob": True, "scoring_func": "sigmoid", "topk_method": "noaux_tc", "n_group": 1, "topk_group": 1, "add_swa_attention_sink_bias": True,
        "add_full_attention_sink_bias": False, "attention_value_scale": 0.707, "n_shared_experts": None,
    },
    "MiniMaxM2ForCausalLM": {"rotary_dim": 64},
    "Ministral3ForCausalLM": {"max_position_embeddings": 262144},
    "MuseGlimmerForConditionalGeneration": {},
    "NemotronForCausalLM": {},
    "Olmo2ForCausalLM": {},
    "Olmo3ForCausalLM": {
        "rope_parameters": {
            "full_attention": {
                "rope_type": "yarn", "rope_theta": 5e5, "factor": 8.0, "original_max_position_embeddings": 8192,
                "attention_factor": 1.2079441541679836, "beta_fast": 32, "beta_slow": 1,
            },
            "sliding_attention": {"rope_type": "default", "rope_theta": 5e5},
        },
        "max_position_embeddings": 65536,
    },
    "Qwen2VLForConditionalGeneration": {
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
    },
    "Qwen3ForCausalLM": {},
    "Qwen3NextForCausalLM": {"full_attention_interval": 4},
    "Qwen3VLForConditionalGeneration": {
        "head_dim": 128,
        "rope_parameters": {
            "rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True
        },
    },
    "Qwen3_5ForConditionalGeneration": {"full_attention_interval": 4},
    "SeedOssForCausalLM": {},
    "SmolLM3ForCausalLM": {},
    "StableLmForCausalLM": {},
}  # fmt: skip


def config_of(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The config.json of a model of eight layers."""
    if "model_type" in changes:
        return {"architectures": [name]} | _SMALL | changes
    import transformers

    config = getattr(transformers, _IN_TRANSFORMERS.get(name, name)).config_class()
    made = type(config.get_text_config())(**_SMALL | changes)
    return {"architectures": [name]} | _without_null(json.loads(made.to_json_string(use_diff=False)))


def _without_null(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_null(one) for key, one in value.items() if one is not None}


def written(config: dict[str, Any]) -> dict[str, Any]:
    """The key-values, and the tensors of divisors."""
    import gguf
    from conversion import get_model_class

    class Alone(get_model_class(config["architectures"][0])):  # type: ignore[misc]
        model_arch = get_model_class(config["architectures"][0]).model_arch
        no_mtp = True  # of layers that predict further tokens the configuration of transformers does not tell

        def index_tensors(self, remote_hf_model_id: str | None = None) -> dict[str, Any]:
            return {}

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        model = Alone(
            Path(folder),
            gguf.LlamaFileType.ALL_F32,
            Path(folder) / "model.gguf",
            hparams=json.loads(json.dumps(config)),
        )
        model = getattr(model, "impl", model)  # of Mistral 3, the class that its configuration asks for
        model.set_gguf_parameters()
        values = {key: value.value for key, value in model.gguf_writer.kv_data[0].items()}
        for tensor, data in model.generate_extra_tensors():
            values[tensor] = [float(one) for one in data.tolist()]
    return values


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--version", required=True, help="the checkout's tag")
    parser.add_argument("--only")
    arguments = parser.parse_args()
    sys.path[:0] = [str(arguments.checkout), str(arguments.checkout / "gguf-py")]
    records, failed = {}, {}
    for name, changes in CASES.items():
        if arguments.only not in (None, name):
            continue
        try:
            config = config_of(name, changes)
            records[name] = {"config": config, "gguf": written(config)}
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
    import transformers

    found = {"llama.cpp": arguments.version, "transformers": transformers.__version__, "records": records}
    if arguments.only is None:
        RESULT.write_text(json.dumps(found, indent=1) + "\n")
    else:
        print(json.dumps(records, indent=1))
    print(f"{len(records)} written; {json.dumps(failed, indent=1)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
