"""What scalings that follow the length promise, beside equality with the reference."""

import pytest
import torch
from dynamic_runs import left_padded, logits_of, tokens
from transformers import DynamicCache
from twelve_kinds import BASE, BETAS, KINDS, L

import yarncore as yc
from yarncore.transformers import adopt, extend, release, restore


def extended(name="llama", dtype=torch.float32, scaling="own", **how):
    model = KINDS[name].make("sdpa", dtype)
    extend(model, KINDS[name].scaling if scaling == "own" else scaling, replace=True, **how)
    return model


def generated(model, ids, count, **how):
    with torch.no_grad(), logits_of(model) as seen:
        model.generate(ids, max_new_tokens=count, do_sample=False, pad_token_id=0, **how)
    return seen


@pytest.mark.parametrize("name", ["llama3", "qwen3", "deepseek_v3", "gemma3", "gpt_neox", "phi", "llama_ntk"])
@pytest.mark.parametrize("keys", ["rerotated", "unrotated"])
def test_prompts_up_to_the_original_length_have_the_bits_of_plain_rope(name, keys):
    plain = KINDS[name].make("sdpa", torch.float32)
    extend(
        plain, {label: None for label in KINDS[name].rotaries if label} or yc.PositionInterpolation(1.0), replace=True
    )
    for a, b in zip(
        generated(extended(name, keys=keys), tokens(1, 10), L - 10),
        generated(plain, tokens(1, 10), L - 10),
        strict=True,
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["llama", "deepseek_v3", "gemma3"])
def test_after_a_long_request_a_short_one_is_as_if_the_long_one_had_never_been(name):
    fresh = generated(extended(name), tokens(1, 10), 20)
    model = extended(name)
    generated(model, tokens(2, 60, seed=4), 20)
    for a, b in zip(generated(model, tokens(1, 10), 20), fresh, strict=True):
        assert torch.equal(a, b)


def test_a_cache_that_is_reset_begins_anew():
    model = extended()
    with torch.no_grad():
        cache = DynamicCache(config=model.config)
        model(input_ids=tokens(2, 60), cache=cache)
        cache.reset()
        found = model(input_ids=tokens(1, 12), cache=cache).logits
        assert torch.equal(found, model(input_ids=tokens(1, 12), cache=DynamicCache(config=model.config)).logits)


def test_each_row_of_a_padded_batch_is_itself_alone():
    model = extended(dtype=torch.float64)
    batch = generated(
        model, left_padded((4, 11, 19))["input_ids"], 40, attention_mask=left_padded((4, 11, 19))["attention_mask"]
    )
    for row, length in enumerate((4, 11, 19)):
        alone = generated(model, left_padded((4, 11, 19))["input_ids"][row : row + 1, -length:], 40)
        for a, b in zip(batch[1:], alone[1:], strict=True):
            assert (a[row] - b[0]).abs().max() < 1e-5  # norms and softmax of transformers are float32


def test_the_first_layer_equals_a_full_recompute_and_the_second_need_not():
    model = extended("qwen3", torch.float64)
    with torch.no_grad():
        cache, ids = DynamicCache(config=model.config), tokens(1, 70)
        for end in range(0, 70, 10):
            cached = model(input_ids=ids[:, end : end + 10], cache=cache, output_hidden_states=True).hidden_states
        whole = model(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states
    distances = [float((a - b[:, -10:]).abs().max() / b.abs().max()) for a, b in zip(cached, whole, strict=True)]
    assert distances[0] == 0
    assert distances[1] < 1e-6
    assert distances[2] > 1e-3


def test_dynamic_yarn_gets_doubling_steps_unless_the_caller_insists():
    model = KINDS["llama3"].make("eager", torch.float32)
    asked = yc.DynamicYaRN(L, **BETAS)
    assert extend(model, asked, replace=True).ropes["full_attention"].scaling.steps == "doubling"
    assert extend(model, asked, replace=True, steps=None).ropes["full_attention"].scaling == asked
    thirds = yc.DynamicYaRN(L, steps=(3.0, 9.0))
    assert extend(model, thirds, replace=True).ropes["full_attention"].scaling == thirds


def test_a_continuous_scale_turns_keys_at_every_token_and_both_strategies_agree():
    rerotated, unrotated = (
        generated(
            extended("llama3", torch.float64, yc.DynamicYaRN(L, **BETAS), steps=None, keys=keys), tokens(1, 10), 40
        )
        for keys in ("rerotated", "unrotated")
    )
    for a, b in zip(rerotated, unrotated, strict=True):
        assert (a - b).abs().max() < 1e-4  # norms and softmax of transformers are float32


@pytest.mark.parametrize("length", [12, 40])
def test_a_cache_of_the_model_before_is_adopted_and_released(length):
    model = KINDS["qwen3"].make("sdpa", torch.float64)
    ids, rope = tokens(2, length), yc.Rope(16, BASE)
    with torch.no_grad():
        plain = DynamicCache(config=model.config)
        model(input_ids=ids, cache=plain)
        before = plain.layers[0].keys.clone()
        next_logits = model(input_ids=ids[:, :1], cache=plain).logits
        plain.crop(-1)
        extend(model, yc.DynamicYaRN(L), replace=True)
        adopt(plain)
        model(input_ids=ids[:, :1], cache=plain)
        new = yc.Rope(16, BASE, yc.DynamicYaRN(L, steps="doubling")).at(length + 1)
        turned = (new @ rope.at().inverse).rotate(before, None, None, heads_axis=-3)
        assert (plain.layers[0].keys[:, :, :-1] - turned).abs().max() < 1e-5  # transformers' angles are float32
        plain.crop(-1)
        release(plain)
        assert type(plain) is DynamicCache
        assert (plain.layers[0].keys - before).abs().max() < 1e-13
        restore(model)
        assert (model(input_ids=ids[:, :1], cache=plain).logits - next_logits).abs().max() < 1e-5


def test_a_model_in_training_has_a_scale_for_each_row_and_no_cache():
    model = KINDS["llama3"].make("eager", torch.float32)
    extend(model, yc.DynamicYaRN(L), replace=True)
    static = KINDS["llama3"].make("eager", torch.float32)
    extend(static, yc.YaRN(4.0, L), replace=True)
    for each in (model, static):
        each.train()
        each.activation_checkpointing_enable()
        output = each(input_ids=tokens(2, 40), labels=tokens(2, 40))
        assert output.cache is None
        output.loss.backward()
    for a, b in zip(model.parameters(), static.parameters(), strict=True):  # s = 4 for 40 tokens, in steps
        assert torch.equal(a.grad, b.grad)
