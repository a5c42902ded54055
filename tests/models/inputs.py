"""What each model is called with, so that its layers see one batch of `TOKENS` tokens."""

import inspect
from typing import Any

import torch
from not_run import NotRun
from transformers import DynamicCache

TOKENS = 7


def inputs_of(model: torch.nn.Module, config: Any) -> dict[str, Any]:
    """What a model is called with."""
    special = _INPUTS.get(type(model).__name__)
    if special is not None:
        return special(config)
    taken = inspect.signature(model.forward).parameters
    if "input_ids" in taken:
        return {"input_ids": _ids()}
    for name in ("inputs_embeds", "hidden_states"):
        if name in taken:
            return {name: _embedded(config)}
    raise NotRun(f"it takes {', '.join(name for name in taken if name != 'kwargs')}: no text")


def _ids() -> torch.Tensor:
    return torch.arange(5, 5 + TOKENS)[None]


def _embedded(config: Any) -> torch.Tensor:
    return _random(1, TOKENS, config.hidden_size)


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


def _after_an_encoder(config: Any, width: int) -> dict[str, Any]:
    return {"input_ids": _ids(), "encoder_hidden_states": _random(1, TOKENS, width)}


def _patches(config: Any, rows: int, columns: int) -> dict[str, Any]:
    return {"pixel_values": _random(1, 3, rows * config.patch_size, columns * config.patch_size)}


def _talker(config: Any) -> dict[str, Any]:
    return {"inputs_embeds": _embedded(config)}


def _prefix(config: Any) -> DynamicCache:
    """One token that an encoder has left."""
    found = DynamicCache(config=config)
    for layer in range(config.num_hidden_layers):
        own = config.per_layer_config[layer]
        left = _random(1, own.num_key_value_heads, 1, own.head_dim)
        found.update(left, left, layer)
    return found


# Models that need more than text, or text in another form.
_INPUTS: dict[str, Any] = {
    "BltLocalDecoder": lambda config: {
        "inputs_embeds": _embedded(config),
        "patch_embeds": _random(1, 3, config.hidden_size_global),
    },
    "BltLocalEncoder": lambda config: {
        "input_ids": _ids(),
        "num_patches": 3,
        "patch_ids": torch.arange(TOKENS)[None] // 3,
    },
    "CsmBackboneModel": _talker,
    "DiaDecoder": lambda config: {
        "input_ids": torch.arange(TOKENS)[None, :, None].expand(1, -1, config.num_channels),
        "encoder_hidden_states": _random(1, TOKENS, config.cross_hidden_size),
    },
    "DiffusionGemmaDecoderModel": lambda config: {"decoder_input_ids": _ids(), "cache": _prefix(config.text_config)},
    "Dots3NoteAudioModel": lambda config: {
        "input_features": _random(1, config.feature_size, 8 * TOKENS),
        "chunk_sample_lengths": torch.tensor([config.samples_per_token * TOKENS]),
    },
    "EfficientLoFTRModel": lambda config: {"pixel_values": _random(1, 2, 1, 32, 32 * TOKENS)},  # a token: 8 * 4 pixels
    "EomtDinov3ForUniversalSegmentation": lambda config: _patches(config, 3, 3),
    "GlmAsrEncoder": lambda config: {"input_features": _random(1, config.num_mel_bins, 2 * TOKENS)},
    "IdeficsModel": lambda config: {
        "input_ids": _ids(),
        "image_encoder_embeddings": _random(1, 1, 4, config.vision_config.embed_dim),
        "image_attention_mask": torch.ones(1, TOKENS, 1),
    },
    "KyutaiSpeechToTextModel": _talker,
    "LasrEncoder": lambda config: {"input_features": _random(1, 4 * (TOKENS - 1) + 13, config.num_mel_bins)},
    "MimiDecoderModel": lambda config: {"latents": _random(1, config.hidden_size, 1)},
    "MimiEncoderModel": lambda config: {"input_values": _random(1, 1, 960 * TOKENS)},
    "MoonshineModel": lambda config: {
        "input_values": _random(1, 127 + 64 * (6 + 6 * TOKENS)),
        "decoder_input_ids": _ids(),
    },
    "MoshiDepthDecoder": lambda config: {
        "input_ids": torch.arange(TOKENS)[None],
        "last_hidden_state": _random(1, 1, config.input_size),
    },
    "MoonshineStreamingDecoder": lambda config: _after_an_encoder(config, config.encoder_config.hidden_size),
    "MuseGlimmerAssistantModel": lambda config: {
        "noise_embeds": _embedded(config),
        "context_hidden_states": _random(1, 0, config.hidden_size * len(config.target_layer_ids)),
    },
    "NeuCodecModel": lambda config: {
        "input_values": _random(1, 1, 320 * TOKENS),
        "input_features": _random(1, TOKENS, 160),
    },
    "PeAudioEncoder": lambda config: {"input_values": _random(1, 1, config.dac_config.hop_length * (TOKENS - 1))},
    "PocketTTSAudioTokenizerDecoderModel": lambda config: {"latents": _random(1, config.hidden_size, 1)},
    "PocketTTSAudioTokenizerEncoderModel": lambda config: {"input_values": _random(1, 1, 120 * TOKENS)},
    "Qwen2_5OmniTalkerModel": _talker,
    "Qwen2_5OmniToken2WavDiTModel": lambda config: {
        "hidden_states": _random(1, TOKENS, config.mel_dim),
        "condition_vector": _random(1, TOKENS, config.mel_dim),
        "speaker_embedding": _random(1, TOKENS, config.enc_emb_dim),
        "quantized_code": _ids(),
        "time_step": torch.tensor(0.5),
        "apply_cfg": False,
    },
    "Qwen3OmniMoeCode2WavTransformerModel": _talker,
    "Qwen3OmniMoeTalkerCodePredictorModel": _talker,
    "Qwen3OmniMoeTalkerModel": _talker,
    "Sapiens2Backbone": lambda config: _patches(config, 2, 3),
    "T5Gemma2Decoder": lambda config: _after_an_encoder(config, config.hidden_size),
    "T5GemmaDecoder": lambda config: _after_an_encoder(config, config.hidden_size),
    "TimesFm2_5Model": lambda config: {"past_values": _random(1, config.patch_length * TOKENS)},
    "VoxtralRealtimeTextModel": lambda config: {
        "inputs_embeds": _embedded(config),
        "t_cond": _random(1, 1, config.hidden_size),
    },
    "Xcodec2Model": lambda config: {
        "input_values": _random(1, 1, 320 * TOKENS),
        "input_features": _random(1, TOKENS, 160),
    },
}
