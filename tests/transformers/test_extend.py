"""extend and restore: the very model with another rotation, and then the very model again."""

import copy
import io
import pickle

import pytest
import torch
from loaded import LENGTH, YARN, loaded, logits, noise, tokens

import yarncore as yc
from yarncore.transformers import extend, restore

FAMILIES = {"llama": {}, "qwen3": {"head_dim": 32}}
both = pytest.mark.parametrize("family", FAMILIES)


@both
def test_with_its_own_scaling_a_model_computes_what_it_did(family):
    model = loaded(family, **FAMILIES[family])
    before = logits(model)
    report = extend(model)
    assert report.method == "plain RoPE" and report.rotation == "fused" and report.layers == 2
    assert (logits(model) - before).abs().max() < noise(before)


@both
def test_yarn_is_the_yarn_of_transformers(family):
    theirs = loaded(family, **FAMILIES[family], rope_parameters=YARN, max_position_embeddings=4 * LENGTH)
    model = loaded(family, **FAMILIES[family])
    model.load_state_dict(theirs.state_dict())
    ids = tokens(3 * LENGTH)
    wanted, plain = logits(theirs, ids), logits(model, ids)
    report = extend(model, factor=4)
    assert report.target_length == 4 * LENGTH and report.original_length == LENGTH and report.factor == 4
    assert report.temperature == pytest.approx((0.1 * torch.log(torch.tensor(4.0)).item() + 1) ** 2)
    assert (logits(model, ids) - wanted).abs().max() < noise(wanted)
    assert (plain - wanted).abs().max() > 100 * noise(wanted)


@both
def test_restore_undoes_it_bit_for_bit(family):
    model = loaded(family, **FAMILIES[family])
    before, attributes = logits(model), [dict(vars(module)) for module in model.modules()]
    extend(model, to=4 * LENGTH)
    restore(model)
    assert torch.equal(logits(model), before)
    assert [dict(vars(module)) for module in model.modules()] == attributes


def test_other_models_of_the_family_stay_as_they_are():
    model, other = loaded(), loaded(seed=2)
    before = logits(other)
    extend(model, factor=4)
    assert torch.equal(logits(other), before)


def through_a_file(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), through_a_file])
def test_a_copy_is_extended_and_can_be_restored_alone(copied):
    model = loaded()
    before = logits(model)
    extend(model, factor=4)
    extended = logits(model)
    twin = copied(model)
    assert torch.equal(logits(twin), extended)
    restore(twin)
    assert torch.equal(logits(twin), before)
    assert torch.equal(logits(model), extended)


def test_decoding_with_a_cache_is_the_whole_forward():
    model = loaded()
    extend(model, factor=4)
    ids = tokens(8)
    found = model.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=0)
    whole = logits(model, found)
    assert torch.equal(whole[0, 7:-1].argmax(-1), found[0, 8:])


def test_a_scaling_may_be_given():
    model = loaded()
    extend(model, yc.PositionInterpolation(2.0))
    theirs = loaded(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0})
    assert (logits(model) - logits(theirs)).abs().max() < noise(logits(theirs))


class ExactTables(torch.nn.Module):
    """cos and sin in float64, of angles that are rounded once."""

    def forward(self, x, position_ids):
        frequencies = 10_000.0 ** (-torch.arange(0, 16, 2, dtype=torch.float64) / 16)
        angles = position_ids[..., None].double() * frequencies
        return torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)


@pytest.mark.parametrize("start", [0, 1_000_000])
def test_phases_are_exact_where_those_of_transformers_are_not(start):
    places = start + torch.arange(48)[None]
    theirs, ours, exact = (loaded().double() for _ in range(3))
    exact.model.rotary_emb = ExactTables()
    extend(ours)
    wanted = logits(exact, position_ids=places)
    assert (logits(ours, position_ids=places) - wanted).abs().max() < 1e-8
    assert (logits(theirs, position_ids=places) - wanted).abs().max() > (1e-7 if start == 0 else 1e-2)


def test_a_class_that_was_patched_in_between_is_read_anew(monkeypatch):
    extend(loaded())
    attention = type(loaded().model.layers[0].self_attn)
    own = attention.forward

    def patched(self, *args, **kwargs):
        output, weights = own(self, *args, **kwargs)
        return 2 * output, weights

    monkeypatch.setattr(attention, "forward", patched)
    model = loaded()
    before = logits(model)
    report = extend(model)
    assert report.rotation == "tables of cos and sin: no method was found to call a rotation function"
    assert (logits(model) - before).abs().max() < noise(before)
