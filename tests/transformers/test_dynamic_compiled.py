"""Compiled models under scalings that follow the length: one graph without a cache, graphs between with one."""

import pytest
import torch
from dynamic_runs import tokens
from transformers import DynamicCache, StaticCache
from twelve_kinds import KINDS

from yarncore.transformers import extend


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()


def extended(keys, name="llama3"):
    model = KINDS[name].make("eager", torch.float32)
    extend(model, KINDS[name].scaling, replace=True, keys=keys)
    return model


@torch.no_grad()
def decoded(model, call, cache):
    found = [model(input_ids=tokens(2, 14), cache=cache).logits]
    return found + [call(input_ids=tokens(2, 1, seed), cache=cache).logits for seed in range(20)]


def static(config):
    return StaticCache(config=config, max_cache_len=40)


def growing(config):
    return DynamicCache(config=config)


@pytest.mark.parametrize(
    ("keys", "make"),
    [
        ("rerotated", static),
        *(
            pytest.param(*case, marks=pytest.mark.whole)
            for case in (("rerotated", growing), ("unrotated", static), ("unrotated", growing))
        ),
    ],
)
def test_decoding_compiled_across_two_steps_is_decoding(keys, make):
    model = extended(keys)
    expected = decoded(model, model, make(model.config))
    found = decoded(model, torch.compile(model, backend="aot_eager"), make(model.config))
    for a, b in zip(found, expected, strict=True):
        assert (a - b).abs().max() < 1e-5 * b.abs().max()


@pytest.mark.whole
@torch.no_grad()
def test_without_a_cache_a_graph_is_whole_and_serves_other_lengths():
    model, ids = extended("rerotated"), tokens(2, 70)
    graphs = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(model, backend=graphs, fullgraph=True, dynamic=True)
    for length in (10, 70):
        expected = model(input_ids=ids[:, :length], use_cache=False).logits
        found = compiled(input_ids=ids[:, :length], use_cache=False).logits
        assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    assert graphs.frame_count < 4


def test_a_whole_graph_with_a_cache_is_refused_with_the_reason():
    model = extended("rerotated")
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with pytest.raises(torch._dynamo.exc.Unsupported, match="lengths and caches are followed on the host"):
        compiled(input_ids=tokens(1, 5), cache=DynamicCache(config=model.config))
