"""What extend and restore refuse: in a sentence, and with the model as it was."""

import pytest
import torch
from loaded import LENGTH, YARN, loaded, logits

import yarncore as yc
from yarncore.transformers import changes, extend, restore, version


def untouched(model):
    """All that a model is made of, module by module."""
    return [dict(vars(module)) | {"_modules": dict(module._modules)} for module in model.modules()]


def refused(model, error, match, *args, **how):
    before, seen = untouched(model), logits(model)
    with pytest.raises(error, match=match):
        extend(model, *args, **how)
    assert untouched(model) == before
    assert torch.equal(logits(model), seen)


@pytest.mark.parametrize(
    ("error", "match", "how"),
    [
        (ValueError, "to is 32, below the present context of 64 tokens", {"to": 32}),
        (ValueError, r"factor is 0.5; a finite number >= 1 is expected", {"factor": 0.5}),
        (ValueError, "scaling and to are given; one of", {"scaling": yc.PositionInterpolation(2.0), "to": 128}),
        (TypeError, "scaling is 4.0; a scaling such as", {"scaling": 4.0}),
        (TypeError, "to is '128k'", {"to": "128k"}),
        (TypeError, "replace is 1; True or False", {"factor": 2, "replace": 1}),
        (ValueError, "counts from 4096 tokens, more than the model's max_position_embeddings = 64", {"scaling": yc.YaRN(2.0, 4096)}),
        (ValueError, "counts from 32 tokens, but the original length is 48, as given", {"scaling": yc.YaRN(2.0, 32), "original_length": 48}),
        (ValueError, "scaling names the layer type 'sliding_attention'; one of full_attention", {"scaling": {"sliding_attention": None}}),
        (TypeError, "scaling names 3; None or a scaling", {"scaling": {"full_attention": 3}}),
        (FileNotFoundError, "nowhere", {"scaling": "nowhere"}),
    ],
)  # fmt: skip
def test_arguments_that_say_nothing_sensible(error, match, how):
    refused(loaded(), error, match, **how)


def test_factors_of_another_number_of_pairs():
    longrope = yc.LongRoPE(short_factor=[1.0] * 4, long_factor=[2.0] * 4, original_length=LENGTH, factor=4.0)
    refused(loaded(), ValueError, "4 entries|pairs", longrope)


def test_what_is_scaled_already_is_replaced_only_by_request():
    model = loaded(rope_parameters=YARN, max_position_embeddings=4 * LENGTH)
    refused(model, ValueError, "scaled already, by YaRN.*replace=True", factor=8)
    refused(model, ValueError, "original_length is 32, but the configuration says 64", factor=8, original_length=32, replace=True)  # fmt: skip
    refused(model, ValueError, "to is 32, below the present context", to=32, replace=True)
    report = extend(model, factor=8, replace=True)
    assert report.before["full_attention"].scaling == yc.YaRN(4.0, LENGTH)
    assert report.ropes["full_attention"].scaling == yc.YaRN(8.0, LENGTH)


def test_its_own_scaling_is_no_other_one():
    model = loaded(rope_parameters=YARN, max_position_embeddings=4 * LENGTH)
    assert extend(model, yc.YaRN(4.0, LENGTH)).target_length == 4 * LENGTH


def test_extended_twice():
    model = loaded()
    extend(model, factor=2)
    refused(model, ValueError, "extended already; restore", factor=4)
    refused(model, ValueError, "below the present context", to=2, replace=True)
    four = loaded()
    extend(four, factor=4)
    extend(model, factor=4, replace=True)
    assert torch.equal(logits(model), logits(four))
    restore(model)
    assert torch.equal(logits(model), logits(loaded()))


def test_restore_without_extend():
    with pytest.raises(ValueError, match=r"LlamaForCausalLM.* is not extended"):
        restore(loaded())


def test_restoring_what_somebody_has_changed_since():
    model = loaded()
    extend(model, factor=4)
    attention = model.model.layers[1].self_attn
    ours = attention.forward
    attention.forward = lambda *args, **kwargs: ours(*args, **kwargs)
    wanted = logits(model)
    with pytest.raises(ValueError, match=r"LlamaAttention.forward is function, put there after the model was extended"):
        restore(model)
    assert torch.equal(logits(model), wanted)
    attention.forward = ours
    restore(model)


def test_a_compiled_model():
    model = loaded()
    for compiled in (torch.compile(model, backend="eager"), loaded()):
        compiled.compile(backend="eager")
        with pytest.raises(ValueError, match=r"model is compiled.*then compile"):
            extend(compiled, factor=2)
        with pytest.raises(ValueError, match="model is compiled"):
            restore(compiled)


@pytest.mark.parametrize(("given", "match"), [(3, "model is int"), (torch.nn.Linear(2, 2), "no model of transformers")])
def test_something_else_than_a_model(given, match):
    with pytest.raises(TypeError, match=match):
        extend(given)


def test_a_model_that_does_not_rotate():
    model = loaded("gpt2", n_embd=64, n_head=4, n_layer=1)
    refused(model, ValueError, "GPT2LMHeadModel has no rotary module")


def test_a_rotary_module_of_its_own_numbers():
    model = loaded()
    model.model.rotary_emb.inv_freq.mul_(1.01)
    refused(model, ValueError, r"rotary_emb .*gives other cos and sin than the configuration says", factor=2)


def test_a_method_that_somebody_has_replaced():
    model = loaded()
    attention = model.model.layers[1].self_attn
    attention.forward = attention.forward
    refused(model, ValueError, r"layers.1.self_attn.forward was replaced on this model", factor=2)


def test_attention_of_its_own_gets_tables():
    class Own(torch.nn.Module):
        def __init__(self, attention):
            super().__init__()
            self.attention = attention

        def forward(self, hidden_states, position_embeddings, **kwargs):
            cos, sin = position_embeddings
            return self.attention(hidden_states, position_embeddings=(cos * 1, sin * 1), **kwargs)

    model = loaded()
    model.model.layers[0].self_attn = Own(model.model.layers[0].self_attn)
    before = logits(model)
    report = extend(model)
    assert report.rotation == "tables of cos and sin: Own is code of its own"
    assert (logits(model) - before).abs().max() < 1e-4


@pytest.mark.parametrize("after", range(1, 4))
def test_an_interruption_leaves_nothing_behind(after, monkeypatch):
    made = []
    usual = changes.Change.make

    def make(change):
        usual(change)
        made.append(change)
        if len(made) == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(changes.Change, "make", make)
    refused(loaded(), KeyboardInterrupt, None, factor=4)
    assert len(made) == after


def test_an_interruption_of_a_replacement_leaves_what_was_before(monkeypatch):
    model = loaded()
    extend(model, factor=2)
    wanted = logits(model)
    usual, made = changes.Change.make, []

    def make(change):
        usual(change)
        made.append(change)
        if len(made) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(changes.Change, "make", make)
    with pytest.raises(KeyboardInterrupt):
        extend(model, factor=4, replace=True)
    assert torch.equal(logits(model), wanted)
    restore(model)
    assert torch.equal(logits(model), logits(loaded()))


def test_another_version_of_transformers_is_a_sentence(monkeypatch):
    monkeypatch.setattr(version.transformers, "__version__", "5.30.1")
    with pytest.warns(UserWarning, match=r"tried with transformers 5\.24, and this is 5\.30\.1: compare the logits"):
        version.warn_of_other_versions()
