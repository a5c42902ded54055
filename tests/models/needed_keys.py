"""By configuration class: keys that the rules of tiny.py do not make small, and keys without which no model runs."""

from enum import Enum
from typing import Any


class _LeftOut(Enum):
    LEFT_OUT = 0


# A key that the rules set and that has to stay as the class has it.
LEFT_OUT = _LeftOut.LEFT_OUT
# Keys without which a class makes no configuration at all.
NEEDED = {"vocab_size"}
_SECTIONS_OF_GLM = {"partial_rotary_factor": 0.5, "mrope_section": [8, 12, 12]}

SPECIAL: dict[str, dict[str, Any]] = {
    "BambaConfig": {"attn_layer_indices": [1]},
    "ChameleonConfig": {"vocabulary_map": {"<image>": 4, "IMGIMGA": 5}},
    "ClvpEncoderConfig": {"projection_dim": 256},
    "CohereCompassTextConfig": {
        "num_hidden_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 50000.0},
            "full_attention": None,
        },
    },
    "CsmConfig": {"num_codebooks": 7},
    "DbrxConfig": {"attn_config": {"rope_theta": 10000.0, "kv_n_heads": 2, "clip_qkv": 8.0}},
    "DeepseekOcr2TextConfig": {"mlp_layer_types": ["dense", "sparse"], "num_experts_per_tok": 2},
    "DeepseekV2Config": {"num_experts_per_tok": 2},
    "DeepseekV4Config": {
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "o_groups": 2,
        "o_lora_rank": 8,
        "mlp_layer_types": LEFT_OUT,
        "layer_types": [
            "sliding_attention",
            "heavily_compressed_attention",
            "compressed_sparse_attention",
            "sliding_attention",
        ],
    },
    "DiffusionGemmaTextConfig": {"num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 32},
    "Dots3NoteAudioConfig": {"adapter_input_size": 256, "adapter_out_dim": 32},
    "DoryConfig": {
        "num_hidden_layers": 8,
        "n_input_layers": 2,
        "n_output_layers": 2,
        "n_recurrent_layers": LEFT_OUT,
        "layer_types": LEFT_OUT,
    },
    "Dots1Config": {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "EfficientLoFTRConfig": {
        "stage_num_blocks": [1, 1, 1, 1],
        "num_attention_layers": 2,
        "hidden_size": 256,
        "num_attention_heads": 8,
        "num_key_value_heads": LEFT_OUT,
    },
    "EomtDinov3Config": {"image_size": 48, "num_register_tokens": 0, "num_queries": 0, "num_blocks": 0},
    "EsmConfig": {"vocab_size": 33, "position_embedding_type": "rotary", "pad_token_id": 1},
    "Gemma3nTextConfig": {
        "vocab_size_per_layer_input": 96,
        "hidden_size_per_layer_input": 8,
        "laurel_rank": 8,
        "num_hidden_layers": 6,
        "num_kv_shared_layers": 0,
        "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
        "intermediate_size": 32,
        "activation_sparsity_pattern": [0.0] * 6,
    },
    "Gemma4TextConfig": {"vocab_size_per_layer_input": 96, "hidden_size_per_layer_input": 8},
    "Glm4MoeConfig": {"head_dim": 128},
    "Glm4vMoeTextConfig": {"rope_parameters": _SECTIONS_OF_GLM, "head_dim": 128},
    "Glm4vTextConfig": {"rope_parameters": _SECTIONS_OF_GLM},
    "GlmImageTextConfig": {"rope_parameters": _SECTIONS_OF_GLM},
    "GradiumPhononTTSConfig": {"flow_head_config": {"condition_dim": 256}},
    "GraniteMoeHybridConfig": {
        "layer_types": ["mamba", "attention"],
        "mamba_n_heads": 8,
        "mamba_d_head": "auto",
        "position_embedding_type": "rope",
    },
    "HunYuanDenseV1Config": {"head_dim": 128},
    "HunYuanMoEV1Config": {"head_dim": 128},
    "HunYuanVLTextConfig": {"head_dim": 128, "rope_parameters": {"mrope_section": [16, 16, 16, 16]}},
    "Lfm2MoeConfig": {"layer_types": ["conv", "full_attention"]},
    "MimiDecoderConfig": {"upsample_groups": 256, "num_filters": 4, "sampling_rate": 274},
    "MimiEncoderConfig": {"num_filters": 4},
    "MinistralConfig": {"head_dim": 128},
    "MoonshineStreamingConfig": {"num_key_value_heads": 4, "head_dim": 40},
    "NeuCodecConfig": {"quantization_dim": 512},
    "Nemotron3_5TranscribeWordTimestampConfig": {"upsampling_factor": 1},
    "NemotronConfig": {"num_key_value_heads": 2},
    "PeAudioEncoderConfig": {"dac_config": {"encoder_hidden_size": 8}},
    "PocketTTSAudioTokenizerDecoderConfig": {"upsample_groups": 256, "num_filters": 4, "latent_stride": 7},
    "PocketTTSAudioTokenizerEncoderConfig": {"num_filters": 4},
    "PocketTTSConfig": {"flow_head_config": {"condition_dim": 256}},
    "Qwen2_5OmniDiTConfig": {"repeats": 1},
    "Qwen2_5OmniTalkerConfig": {"embedding_size": 512},
    "Qwen3OmniMoeTalkerTextConfig": {"shared_expert_intermediate_size": 32},
    "Qwen3OmniMoeTextConfig": {"head_dim": 128},
    "Qwen4ExpTextConfig": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 256,
        "indexer_budget": 64,
        "indexer_compress_ratio": 4,
    },
    "Sapiens2Config": {
        "num_register_tokens": 0,
        "num_key_value_attention_heads": 2,
        "num_key_value_heads_per_layer": LEFT_OUT,
    },
    "Step3p7TextConfig": {"sliding_window": 32},
    "T5Gemma2DecoderConfig": {"dropout_rate": 0.0},
    "T5Gemma2TextConfig": {"dropout_rate": 0.0},
    "T5GemmaModuleConfig": {"dropout_rate": 0.0, "attention_dropout": 0.0, "cross_attention_hidden_size": 1152},
    "Xcodec2Config": {"quantization_dim": 512},
    "Zamba2Config": {"use_mem_rope": True},
}
