"""What a followed cache refuses, and what it is after an error or an interruption."""

import copy

import pytest
import torch
from dynamic_runs import tokens
from transformers import DynamicCache, EncoderDecoderCache
from transformers.cache_utils import Cache, Fp8QuantizedLayer
from twelve_kinds import KINDS, L

import yarncore as yc
from yarncore.transformers import CacheUnusable, adopt, extend, release, restore


@pytest.fixture
def model():
    made = KINDS["llama3"].make("eager", torch.float32)
    extend(made, yc.DynamicYaRN(L), replace=True)
    with torch.no_grad():
        yield made


@pytest.fixture
def cache(model):
    """40 tokens, of 2 rows."""
    made = DynamicCache(config=model.config)
    model(input_ids=tokens(2, 40), cache=made)
    return made


def test_quantised_caches_are_refused_by_name(model):
    with pytest.raises(TypeError, match="Fp8QuantizedLayer"):
        model(input_ids=tokens(1, 5), cache=Cache(layers=[Fp8QuantizedLayer() for _ in range(2)]))


def test_what_is_no_cache_for_a_decoder_is_refused(model):
    with pytest.raises(TypeError, match="EncoderDecoderCache"):
        model(input_ids=tokens(1, 5), cache=EncoderDecoderCache(DynamicCache(), DynamicCache()))


def test_a_cache_that_was_filled_before_is_refused_until_its_positions_are_told(model):
    plain = KINDS["llama3"].make("eager", torch.float32)
    given = DynamicCache(config=plain.config)
    plain(input_ids=tokens(1, 5), cache=given)
    keys = given.layers[0].keys.clone()
    with pytest.raises(CacheUnusable, match="adopt"):
        model(input_ids=tokens(1, 1), cache=given)
    assert torch.equal(given.layers[0].keys, keys)
    with pytest.raises(ValueError, match=r"positions has shape \(1, 4\); \(\.\.\., 1, 5\) is expected"):
        adopt(given, torch.arange(4)[None])
    adopt(given)
    model(input_ids=tokens(1, 1), cache=given)
    with pytest.raises(ValueError, match="followed already"):
        adopt(given)


def test_a_model_that_follows_nothing_does_not_read_a_followed_cache(model, cache):
    keys = cache.layers[0].keys.clone()
    restore(model)
    with pytest.raises(CacheUnusable, match="release"):
        model(input_ids=tokens(2, 1), cache=cache)
    extend(model, yc.YaRN(4.0, L), replace=True)
    with pytest.raises(CacheUnusable, match="release"):
        model(input_ids=tokens(2, 1), cache=cache)
    assert torch.equal(cache.layers[0].keys, keys)
    release(cache)
    model(input_ids=tokens(2, 1), cache=cache)
    with pytest.raises(TypeError, match="not followed"):
        release(cache)


def test_the_two_ways_of_keeping_keys_are_not_mixed(model, cache):
    extend(model, yc.DynamicYaRN(L), replace=True, keys="unrotated")
    with pytest.raises(CacheUnusable, match='rerotated keys and the model is extended with keys="unrotated"'):
        model(input_ids=tokens(2, 1), cache=cache)
    unrotated = DynamicCache(config=model.config)
    model(input_ids=tokens(2, 4), cache=unrotated)
    with pytest.raises(CacheUnusable, match="unrotated"):
        release(unrotated)


def test_another_number_of_rows_is_refused(model, cache):
    with pytest.raises(ValueError, match="2 rows and the batch has 3"):
        model(input_ids=tokens(3, 1), cache=cache)
    model(input_ids=tokens(2, 1), cache=cache)


def test_a_cache_changed_behind_its_back_is_refused_when_its_keys_would_be_turned(model, cache):
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys[:, :, 3:], layer.values[:, :, 3:]
    with pytest.raises(CacheUnusable, match="holds 37 tokens where 40 were written"):
        model(input_ids=tokens(2, 40), cache=cache)


def test_arguments_are_checked_before_the_model_is_touched(model):
    restore(model)
    for how in ({"keys": "rotated"}, {"steps": (2.0,)}):
        with pytest.raises(ValueError, match=next(iter(how))):
            extend(model, yc.DynamicYaRN(L), replace=True, **how)
    with pytest.raises(ValueError, match="not extended"):
        restore(model)


def interrupt(module, args):
    raise KeyboardInterrupt


@pytest.mark.parametrize("keys", ["rerotated", "unrotated"])
def test_a_forward_interrupted_between_layers_leaves_a_cache_that_is_refused(model, keys):
    extend(model, yc.DynamicYaRN(L), replace=True, keys=keys)
    cache = DynamicCache(config=model.config)
    model(input_ids=tokens(2, 10), cache=cache)
    hook = model.model.layers[1].register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        model(input_ids=tokens(2, 30), cache=cache)
    hook.remove()
    for given in (cache, copy.deepcopy(cache)):
        with pytest.raises(CacheUnusable, match="interrupted"):
            model(input_ids=tokens(2, 1), cache=given)
    cache.reset()
    again = model(input_ids=tokens(2, 10), cache=cache).logits
    assert torch.equal(again, model(input_ids=tokens(2, 10), cache=DynamicCache(config=model.config)).logits)


def test_an_interruption_before_the_first_layer_wrote_changes_nothing(model, cache):
    expected = model(input_ids=tokens(2, 5), cache=copy.deepcopy(cache)).logits
    hook = model.model.layers[0].register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        model(input_ids=tokens(2, 5), cache=cache)
    hook.remove()
    assert torch.equal(model(input_ids=tokens(2, 5), cache=cache).logits, expected)


def test_an_interruption_within_a_turn_is_noticed(model, cache, monkeypatch):
    def turned_and_interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("yarncore.rotation.prepared.Prepared.rotate_", turned_and_interrupted)
    # The queries of a forward are rotated first, by the same method: out of place where a gradient is recorded.
    with torch.enable_grad(), pytest.raises(KeyboardInterrupt):
        model(input_ids=tokens(2, 40), cache=cache)
    monkeypatch.undo()
    with pytest.raises(CacheUnusable, match="interrupted"):
        model(input_ids=tokens(2, 1), cache=cache)


def test_a_model_that_changes_keys_after_their_rotation_is_refused(model):
    def changed(key_states, value_states, *args, **kwargs):
        return update(2 * key_states, value_states, *args, **kwargs)

    cache = DynamicCache(config=model.config)
    model(input_ids=tokens(1, 3), cache=cache)
    cache.reset()
    update = cache.update
    cache.update = changed
    with pytest.raises(ValueError, match="changes them after their rotation"):
        model(input_ids=tokens(1, 3), cache=cache)


def test_what_an_interrupted_forward_left_open_lets_no_other_model_in(model, cache):
    hook = model.model.layers[0].register_forward_pre_hook(interrupt)
    fresh = DynamicCache(config=model.config)
    for given in (cache, fresh):
        with pytest.raises(KeyboardInterrupt):
            model(input_ids=tokens(2, 5), cache=given)
    hook.remove()
    plain = KINDS["llama3"].make("eager", torch.float32)
    with pytest.raises(CacheUnusable, match="another rotation"):
        plain(input_ids=tokens(2, 5), cache=cache)
    plain(input_ids=tokens(2, 5), cache=fresh)
    with pytest.raises(CacheUnusable):
        model(input_ids=tokens(2, 5), cache=fresh)
