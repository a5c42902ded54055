"""Scalings that follow the length, with a cache, against the slow reference: a sample, and operations on caches."""

import copy
import itertools
import json
import pickle

import pytest
import torch
from dynamic_proof import DTYPES, LIMITS, PATH, STRATEGIES, difference
from dynamic_runs import SCENARIOS, left_padded, logits_of, tokens
from slow_reference import Reference
from transformers import DynamicCache, StaticCache
from twelve_kinds import KINDS
from whole_float64 import whole_float64

import yarncore as yc
from yarncore.transformers import extend

_WAYS = list(itertools.product(SCENARIOS, ("eager", "sdpa"), STRATEGIES))


@pytest.mark.parametrize(("number", "name"), list(enumerate(KINDS)))
def test_cached_generation_equals_the_slow_reference(number, name):
    scenario, attention, strategy = _WAYS[(7 * number) % len(_WAYS)]
    attention = attention if attention in KINDS[name].attentions else "eager"
    assert difference(name, attention, scenario, "float64", strategy) < LIMITS["float64"]


@pytest.mark.parametrize("name", ["qwen3", "deepseek_v3"])
def test_in_float32_it_equals_it_to_noise(name):
    assert difference(name, "sdpa", "decode", "float32", "rerotated") < LIMITS["float32"]


def test_the_whole_proof_is_committed_and_within_its_limits():
    results = json.loads(PATH.read_text())
    assert set(results) == set(KINDS)
    for name, found in results.items():
        assert set(found) == {
            " ".join(how) for how in itertools.product(KINDS[name].attentions, SCENARIOS, DTYPES, STRATEGIES)
        }
        for how, value in found.items():
            assert 0 < value < LIMITS[how.split()[2]], (name, how)


def both(run, name="llama", keys="rerotated", new_cache=None):
    """The logits of each forward of run(model, cache): the extended model's, and the reference's."""
    kind = KINDS[name]
    with whole_float64(), torch.no_grad():
        model = kind.make(kind.attentions[-1], torch.float64)
        reference = Reference(model, kind.decoder(model), kind.rotaries, kind.functions)
        with reference.running(), logits_of(model) as expected:
            run(model, reference.new_cache())
        extend(model, kind.scaling, replace=True, keys=keys)
        with logits_of(model) as found:
            run(model, new_cache(model) if new_cache else DynamicCache(config=model.config))
    assert len(found) == len(expected)
    return found, expected


def check(run, **how):
    found, expected = both(run, **how)
    for a, b in zip(found, expected, strict=True):
        assert float((a - b).abs().max()) < 1e-12 * max(1.0, float(b.abs().max()))


@pytest.fixture(params=STRATEGIES)
def keys(request):
    return request.param


def _prompts(model, cache):
    """Three rows at three different steps; their mask."""
    given = left_padded((4, 20, 37))
    positions = (given["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    model(**given, position_ids=positions, cache=cache)
    return given["attention_mask"], positions[:, -1:]


def _token(model, cache, mask, last, seed):
    mask = torch.cat((mask, torch.ones_like(mask[:, :1])), dim=-1)
    last = last + 1
    model(input_ids=tokens(len(mask), 1, seed), attention_mask=mask, position_ids=last, cache=cache)
    return mask, last


def test_rows_at_different_steps_may_be_exchanged(keys):
    def run(model, cache):
        mask, last = _prompts(model, cache)
        for order in ([2, 0, 1], [1, 1, 0]):
            cache.reorder_cache(torch.tensor(order))
            mask, last = _token(model, cache, mask[order], last[order], seed=len(order))

    check(run, keys=keys)


def test_rows_may_be_chosen_and_repeated(keys):
    def run(model, cache):
        mask, last = _prompts(model, cache)
        cache.batch_select_indices(torch.tensor([2, 0]))
        mask, last = _token(model, cache, mask[[2, 0]], last[[2, 0]], seed=3)
        cache.batch_repeat_interleave(2)
        twice = [0, 0, 1, 1]
        for seed in range(30):
            mask, last = _token(
                model, cache, mask[twice] if seed == 0 else mask, last[twice] if seed == 0 else last, seed
            )

    check(run, keys=keys)


@pytest.mark.parametrize("name", ["llama", "deepseek_v3"])
def test_a_row_goes_down_a_step_when_it_is_cropped(name, keys):
    def run(model, cache):
        model(input_ids=tokens(2, 40), cache=cache)
        cache.crop(-28)
        for seed in range(8):
            model(input_ids=tokens(2, 1, seed), cache=cache)
        cache.crop(-17)
        model(input_ids=tokens(2, 50), cache=cache)

    check(run, name=name, keys=keys)


@pytest.mark.parametrize("name", ["gemma3", "gpt_oss", "phi3"])
def test_sliding_windows_hold_the_last_keys_of_their_rows(name, keys):
    def run(model, cache):
        mask, last = _prompts(model, cache)
        for seed in range(32):
            mask, last = _token(model, cache, mask, last, seed)

    check(run, name=name, keys=keys)


@pytest.mark.parametrize("name", ["llama", "gemma3", "deepseek_v3"])
def test_static_caches(name, keys):
    def run(model, cache):
        mask, last = _prompts(model, cache)
        for seed in range(32):
            mask, last = _token(model, cache, mask, last, seed)

    check(run, name=name, keys=keys, new_cache=lambda model: StaticCache(config=model.config, max_cache_len=80))


def test_lengths_are_those_of_the_sections_positions(keys):
    def run(model, cache):
        grid = torch.stack([torch.arange(30), torch.arange(30) // 2, 2 * torch.arange(30)])[:, None]
        model(input_ids=tokens(1, 30), position_ids=grid.expand(3, 2, 30)[:, :1], cache=cache)
        for step in range(10):
            model(input_ids=tokens(1, 1, step), position_ids=torch.full((3, 1, 1), 59 + step), cache=cache)

    check(run, name="qwen2_vl", keys=keys)
    check(run, name="qwen3_vl", keys=keys)


def test_a_prompt_may_be_taken_in_chunks(keys):
    def run(model, cache):
        mask = torch.ones(1, 40, dtype=torch.long)
        model.generate(
            tokens(1, 40), attention_mask=mask, max_new_tokens=5, do_sample=False, prefill_chunk_size=10, cache=cache
        )

    check(run, keys=keys)


def test_positions_that_go_back_leave_a_row_at_its_largest(keys):
    def run(model, cache):
        model(input_ids=tokens(1, 40), cache=cache)
        model(input_ids=tokens(1, 3), position_ids=torch.tensor([[5, 6, 7]]), cache=cache)

    check(run, keys=keys)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda cache: pickle.loads(pickle.dumps(cache))])
def test_a_copy_of_a_cache_goes_its_own_way(copied, keys):
    model = KINDS["llama"].make("eager", torch.float64)
    extend(model, KINDS["llama"].scaling, replace=True, keys=keys)
    with torch.no_grad():
        whole = DynamicCache(config=model.config)
        model(input_ids=tokens(1, 14), cache=whole)
        prefix = copied(whole)
        long = model(input_ids=tokens(1, 20, 2), cache=whole).logits
        assert torch.equal(model(input_ids=tokens(1, 20, 2), cache=copied(prefix)).logits, long)
        short = model(input_ids=tokens(1, 2, 2), cache=prefix).logits
    assert (short - long[:, :2]).abs().max() > 0.01  # within L and beyond it


def test_a_cache_written_under_another_scaling_is_converted():
    model = KINDS["llama"].make("eager", torch.float64)
    extend(model, yc.DynamicYaRN(16), replace=True)
    with torch.no_grad():
        cache = DynamicCache(config=model.config)
        model(input_ids=tokens(1, 40), cache=cache)
        converted = copy.deepcopy(cache)
        extend(model, yc.DynamicPositionInterpolation(16), replace=True)
        model(input_ids=tokens(1, 1), cache=converted)
    rope = yc.Rope(16, 100.0)
    old = yc.Rope(16, 100.0, yc.DynamicYaRN(16, steps="doubling")).at(40)
    new = yc.Rope(16, 100.0, yc.DynamicPositionInterpolation(16)).at(41)
    unrotated = old.inverse.rotate(cache.layers[0].keys, None, None, heads_axis=-3)
    expected = new.rotate(unrotated, None, None, heads_axis=-3)
    assert (converted.layers[0].keys[:, :, :40] - expected).abs().max() < 1e-13
    assert rope.at() != new
