"""What the report says: lengths and where they were found, the temperature and who applies it, bytes."""

import math

import pytest
import torch
import transformers
from loaded import LENGTH, YARN, loaded, tokens

import yarncore as yc
from yarncore.transformers import extend


def test_it_reads():
    text = str(extend(loaded(), factor=4))
    assert text.splitlines()[:6] == [
        "model            LlamaForCausalLM, llama; evidence: its module was run: transformers 5.24.0, "
        "models/llama/modeling_llama.py",
        "original length  64 tokens, max_position_embeddings, since the configuration has no original length of its own",
        "target length    256 tokens, s = 4",
        "method           YaRN",
        "temperature      1.29648, applied in cos_sin",
        "rotation         fused, in 2 modules",
    ]


@pytest.mark.parametrize(
    ("keys", "how", "original", "whence"),
    [
        ({}, {}, LENGTH, "max_position_embeddings, since"),
        ({}, {"original_length": 48}, 48, "as given"),
        ({"rope_parameters": YARN, "max_position_embeddings": 4 * LENGTH}, {}, LENGTH, "the configuration's own"),
    ],
)
def test_the_original_length_and_whence(keys, how, original, whence):
    report = extend(loaded(**keys), to=8 * LENGTH, replace=True, **how)
    assert report.original_length == original and report.original_from.startswith(whence)
    assert report.factor == 8 * LENGTH / original and report.target_length == 8 * LENGTH


def test_a_cited_original_length_stands_in_for_what_the_file_advertises():
    """Qwen3 advertises 40960 and was trained for 32768."""
    model = loaded("qwen3", max_position_embeddings=40960, head_dim=16)
    report = extend(model, to=131072)
    assert (report.original_length, report.factor) == (32768, 4) and "QwenLM/Qwen3" in report.original_from
    with pytest.raises(ValueError, match="counts from 40960 tokens, but the original length is 32768, what qwen3"):
        extend(loaded("qwen3", max_position_embeddings=40960, head_dim=16), yc.YaRN(4.0, 40960))


def test_a_scaling_without_a_temperature_has_none():
    report = extend(loaded(), yc.NTKByParts(4.0, LENGTH))
    assert report.temperature == 1 and report.temperature_in == "nobody"


def test_a_dynamic_scaling_has_no_end_unless_it_is_given_one():
    assert extend(loaded(), yc.DynamicYaRN(LENGTH)).target_length is None
    report = extend(loaded(), yc.DynamicYaRN(LENGTH, max_factor=8.0))
    assert report.target_length == 8 * LENGTH
    assert report.temperature == pytest.approx((0.1 * math.log(8) + 1) ** 2)


PLAIN = {"rope_type": "default", "rope_theta": 10_000.0}
WINDOWS = {"head_dim": 16, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 32}
LATENT = {
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 16, "qk_nope_head_dim": 16, "v_head_dim": 16,
    "first_k_dense_replace": 2, "num_key_value_heads": 4, "n_group": 1, "topk_group": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("family", "keys"),
    [("llama", {}), ("gemma3_text", WINDOWS), ("mistral", {"sliding_window": 50}), ("deepseek_v3", LATENT)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_bytes_are_those_of_a_cache_of_that_length(family, keys, dtype):
    model = loaded(family, **keys).to(dtype)
    report = extend(model, to=2 * LENGTH)
    with torch.no_grad():
        cache = model(tokens(2 * LENGTH), cache=transformers.DynamicCache(config=model.config)).cache
    held = sum(x.numel() * x.element_size() for layer in cache.layers for x in (layer.keys, layer.values))
    assert report.cache_bytes == held


def test_layers_of_a_window_are_not_scaled_where_others_have_a_rope_of_their_own():
    report = extend(loaded("gemma3_text", **WINDOWS), factor=4)
    assert report.ropes["sliding_attention"].scaling is None
    assert report.ropes["full_attention"].scaling == yc.YaRN(4.0, LENGTH)
    both = {"sliding_attention": yc.YaRN(2.0, LENGTH), "full_attention": yc.YaRN(4.0, LENGTH)}
    report = extend(loaded("gemma3_text", **WINDOWS), both)
    assert {name: rope.scaling for name, rope in report.ropes.items()} == both


def test_layers_that_share_a_rotary_module_are_scaled_together():
    shared = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 32}
    model = loaded("gpt_oss", **shared, head_dim=16, num_local_experts=2, rope_parameters=PLAIN)
    with pytest.raises(ValueError, match="serves layers of type sliding_attention and full_attention alike"):
        extend(model, {"full_attention": yc.YaRN(4.0, LENGTH)})
    report = extend(model, factor=4)
    assert {rope.scaling for rope in report.ropes.values()} == {yc.YaRN(4.0, LENGTH)}


def test_a_part_that_stands_still_is_no_scaling_and_no_yarn_stands_on_it():
    windows = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 32, "num_kv_shared_layers": 0}
    model = loaded("gemma4_text", **windows, head_dim=16, global_head_dim=32, hidden_size_per_layer_input=0)
    with pytest.raises(ValueError, match=r"rotate by Proportional\(.*which no other scaling stands on"):
        extend(model, factor=4)
    report = extend(model, {"full_attention": yc.Proportional(0.25, 4.0)})
    assert report.method == "Proportional"
