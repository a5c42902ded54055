"""What is saved: a model that plain transformers loads as it is, or one that says where the rest stands."""

import copy
import json
import pickle

import pytest
import torch
import transformers
from loaded import LENGTH, YARN, loaded, logits, noise, tokens

import yarncore as yc
from yarncore.transformers import extend, restore

# How a family says its scaling: one dict; a part of the head; a dict for each layer type; with the logits' temperature.
FAMILIES = {
    "llama": {},
    "gpt_neox": {},
    "gemma3_text": {"head_dim": 16, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 32},
    "deepseek_v3": {
        "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 16, "qk_nope_head_dim": 16, "v_head_dim": 16,
        "first_k_dense_replace": 2, "num_key_value_heads": 4, "n_group": 1, "topk_group": 1,
    },
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_plain_transformers_loads_the_extended_model(family, tmp_path):
    model = loaded(family, **FAMILIES[family])
    before = logits(model, tokens(100))
    report = extend(model, to=4 * LENGTH)
    assert report.saved_as == "config.json"
    assert model.config.max_position_embeddings == 4 * LENGTH
    extended = logits(model, tokens(100))
    model.save_pretrained(tmp_path)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    assert (logits(again, tokens(100)) - extended).abs().max() < noise(extended)
    assert (before - extended).abs().max() > 100 * noise(extended)
    assert extend(again).target_length == 4 * LENGTH
    assert (logits(again, tokens(100)) - extended).abs().max() < noise(extended) / 10


def test_the_temperature_of_a_latent_attention_multiplies_its_logits():
    model = loaded("deepseek_v3", **FAMILIES["deepseek_v3"])
    scaling = model.model.layers[0].self_attn.scaling
    report = extend(model, factor=4)
    assert report.temperature_in == "softmax"
    assert model.model.layers[0].self_attn.scaling == pytest.approx(scaling * report.temperature)
    copied = pickle.loads(pickle.dumps(model))
    for one in (model, copied):
        restore(one)
        assert one.model.layers[0].self_attn.scaling == scaling


def test_what_the_configuration_cannot_say_stands_beside_it(tmp_path):
    model = loaded()
    report = extend(model, yc.YaRN(4.0, LENGTH, ramp="rotations"))
    assert report.saved_as.startswith("yarncore.json beside config.json: transformers cannot express")
    extended = logits(model)
    with pytest.warns(
        yc.ConfigWarning, match=r"config.json says the rotation .* was loaded with.*extend\(model, folder\)"
    ):
        model.save_pretrained(tmp_path)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    assert (logits(again) - logits(loaded())).abs().max() == 0
    found = extend(again, tmp_path)
    assert found.ropes == report.ropes and found.target_length == report.target_length == 4 * LENGTH
    assert torch.equal(logits(again), extended)
    restore(model)
    assert "save_pretrained" not in vars(model)


def test_a_copy_saves_itself(tmp_path):
    model = loaded()
    extend(model, yc.YaRN(4.0, LENGTH, ramp="rotations"))
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.lm_head.weight.mul_(2)
    with pytest.warns(yc.ConfigWarning):
        twin.save_pretrained(tmp_path)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(again.lm_head.weight, twin.lm_head.weight)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda held: held["ropes"]["full_attention"].update(base=5e5), "another model"),
        (lambda held: held["ropes"].update(sliding_attention=None), "'sliding_attention'.*another model"),
        (lambda held: held["ropes"]["full_attention"]["scaling"].update(method="Magic"), "method is 'Magic'; one of"),
        (lambda held: held.pop("ropes"), "not what save_pretrained"),
    ],
)
def test_a_yarncore_json_of_something_else_is_refused(change, match, tmp_path):
    model = loaded()
    extend(model, yc.YaRN(4.0, LENGTH, ramp="rotations"))
    with pytest.warns(yc.ConfigWarning):
        model.save_pretrained(tmp_path)
    restore(model)
    held = json.loads((tmp_path / "yarncore.json").read_text())
    change(held)
    (tmp_path / "yarncore.json").write_text(json.dumps(held))
    with pytest.raises(yc.ConfigError, match=match):
        extend(model, tmp_path)


def test_a_configuration_that_two_models_share_is_changed_for_one():
    config = transformers.LlamaConfig(**{**FAMILIES["llama"], "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 96,
        "intermediate_size": 64, "num_hidden_layers": 1, "max_position_embeddings": LENGTH})  # fmt: skip
    models = [transformers.LlamaForCausalLM(config) for _ in range(2)]
    said = config.to_dict()
    extend(models[0], factor=4)
    assert models[1].config is config and config.to_dict() == said
    assert models[0].config.rope_parameters["factor"] == 4
    restore(models[0])
    assert models[0].config is config


def test_texts_that_were_as_long_as_the_model_become_as_long_as_the_target():
    model = loaded()
    model.generation_config.max_length = LENGTH
    own = model.generation_config
    extend(model, factor=4)
    assert model.generation_config.max_length == 4 * LENGTH
    restore(model)
    assert model.generation_config is own and own.max_length == LENGTH


def test_its_own_scaling_is_saved_as_it_was(tmp_path):
    model = loaded(rope_parameters=YARN, max_position_embeddings=4 * LENGTH)
    said = model.config.to_json_string()
    assert extend(model).saved_as == "config.json, as it was"
    assert model.config.to_json_string() == said
