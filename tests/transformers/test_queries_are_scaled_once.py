"""Models that multiply their queries by position go on doing so, once, when they are extended."""

import copy

import pytest
import torch
import transformers

import yarncore as yc
from yarncore.transformers.extend import extend, restore, ropes_of
from yarncore.transformers.rotary import RotaryModule

SHAPE = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2,
         "num_hidden_layers": 4, "max_position_embeddings": 128, "initializer_range": 0.3, "bos_token_id": None,
         "eos_token_id": None, "pad_token_id": None}  # fmt: skip
ROPE = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 16.0, "original_max_position_embeddings": 8,
        "llama_4_scaling_beta": 0.5}  # fmt: skip
LATENT = {"qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8, "kv_lora_rank": 16, "q_lora_rank": None,
          "num_key_value_heads": 4, "n_routed_experts": 2, "num_experts_per_tok": 1, "n_shared_experts": 1,
          "moe_intermediate_size": 32, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 4,
          "rope_parameters": ROPE | {"partial_rotary_factor": 0.5}}  # fmt: skip
MODELS = {
    "ministral3": (
        transformers.Ministral3ForCausalLM,
        transformers.Ministral3Config,
        {"head_dim": 16, "rope_parameters": ROPE},
    ),
    "mistral4": (transformers.Mistral4ForCausalLM, transformers.Mistral4Config, LATENT),
    "llama4_text": (
        transformers.Llama4ForCausalLM,
        transformers.Llama4TextConfig,
        {"head_dim": 16, "floor_scale": 8, "attn_scale": 0.5, "num_local_experts": 2, "intermediate_size_mlp": 32},
    ),
}
pytestmark = [
    pytest.mark.usefixtures("quiet_transformers"),
    pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning"),
]


def model_of(model_type, **changes):
    model, make, config = MODELS[model_type]
    torch.manual_seed(0)
    return model(make(**{**SHAPE, **config, **changes})).double().eval()


def logits(model, tokens=40):
    inputs = torch.arange(tokens)[None] * 7 % 64
    with torch.no_grad():
        return model(inputs, use_cache=False).logits


@pytest.mark.parametrize("model_type", MODELS)
def test_an_extended_model_computes_what_it_computed(model_type):
    model = model_of(model_type)
    before = logits(model)
    report = extend(model)
    assert "fused" in report.rotation
    # float32 tables and scales of transformers against ours
    assert torch.allclose(logits(model), before, rtol=0, atol=2e-4 * before.abs().max())
    assert all(rope.query_scale is None for module in model.modules() if isinstance(module, RotaryModule)
               for shapes in module.by_shape.values() for rope in shapes.values())  # fmt: skip
    restore(model)
    assert torch.equal(logits(model), before)


@pytest.mark.parametrize("model_type", ["ministral3", "mistral4"])
def test_the_scale_counts_in_these_models(model_type):
    """Else the test above would say nothing."""
    config = MODELS[model_type][2]["rope_parameters"]
    with_scale = logits(model_of(model_type))
    without = logits(model_of(model_type, rope_parameters=config | {"llama_4_scaling_beta": 0.0}))
    assert torch.equal(with_scale[:, :8], without[:, :8])
    assert (with_scale[:, 8:] - without[:, 8:]).abs().max() > 1e-2 * with_scale.abs().max()


def test_a_longer_model_is_saved_with_its_scale(tmp_path):
    model = model_of("ministral3")
    report = extend(model, yc.YaRN(32.0, 8), replace=True)
    (rope,) = set(ropes_of(model).values())
    assert rope.query_scale == yc.LogSteps(0.5, 8) and "LogSteps" in repr(report.ropes)
    model.save_pretrained(tmp_path)
    assert yc.from_config(tmp_path) == rope
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    wanted = logits(model)
    assert torch.allclose(logits(again), wanted, rtol=0, atol=2e-4 * wanted.abs().max())


def test_what_config_json_cannot_say_stands_beside_it_with_the_scale(tmp_path):
    model = model_of("ministral3")
    extend(model, yc.DynamicYaRN(8), replace=True)
    wanted = logits(model)
    model.save_pretrained(tmp_path)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    extend(again, tmp_path)
    assert ropes_of(again) == ropes_of(model)
    assert torch.allclose(logits(again), wanted, rtol=0, atol=1e-9 * wanted.abs().max())


@pytest.mark.parametrize("keys", ["rerotated", "unrotated"])
def test_cached_keys_of_a_dynamic_scale_are_turned_without_it(keys):
    model = model_of("ministral3")
    extend(model, yc.DynamicYaRN(8), replace=True, keys=keys)
    inputs = torch.arange(12)[None] * 7 % 64
    with torch.no_grad():
        cached = model.generate(inputs, max_new_tokens=12, do_sample=False)
        plain = copy.deepcopy(inputs)
        for _ in range(12):
            plain = torch.cat([plain, model(plain, use_cache=False).logits[:, -1:].argmax(-1)], -1)
    assert cached.shape == plain.shape
    assert torch.equal(cached[:, :13], plain[:, :13])
