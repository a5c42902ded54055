"""Scalings that follow the length, with a cache, against the slow reference."""

import contextlib
import dataclasses
import sys
import types

import pytest
import torch
from transformers import DynamicCache

from yarncore.transformers.dynamic.hooks import CacheFollower
from yarncore.transformers.dynamic.scales import Scales

sys.path.insert(0, __file__.rpartition("/")[0])
from dynamic_runs import SCENARIOS, drafting, logits_of
from slow_reference import Reference
from twelve_kinds import KINDS
from whole_float64 import whole_float64


@contextlib.contextmanager
def plumbed(kind, model, strategy="rerotated"):
    decoder = kind.decoder(model)
    modeling = sys.modules[type(decoder).__module__]
    follower = CacheFollower(strategy)
    follower.install(decoder)
    scales = {k: {(r.head_dim, False): Scales(dataclasses.replace(r, interleaved=False))} for k, r in kind.rope.items()}

    def forward(module, x, position_ids, layer_type=None):
        return follower.forward.followed(scales[layer_type], position_ids, x.shape[0]), None

    def apply(own, q, k, turner, sin, **how):
        if isinstance(turner, torch.Tensor):
            return own(q, k, turner, sin, **how)
        if "interleave" in own.__name__:
            q, k = (torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1) for x in (q, k))
        return turner.rotate(q, k, -3, False, True)

    rotary = decoder.rotary_emb
    rotary.forward = types.MethodType(forward, rotary)
    with pytest.MonkeyPatch.context() as patch:
        for name in kind.functions:
            own = getattr(modeling, name)
            patch.setattr(modeling, name, lambda *a, own=own, **k: apply(own, *a, **k))
        yield model
    del rotary.forward
    follower.remove()


def both(name, scenario, attention, dtype, strategy="rerotated"):
    kind = KINDS[name]
    model = kind.make(attention, dtype)
    reference = Reference(model, kind.decoder(model), kind.rotaries, kind.functions)
    run, draft = SCENARIOS[scenario], drafting(model)
    with torch.no_grad():
        with reference.running(), logits_of(model) as expected:
            run(model, reference.new_cache(), draft)
        with plumbed(kind, model, strategy), logits_of(model) as got:
            run(model, DynamicCache(config=model.config), draft)
    assert len(got) == len(expected)
    return [(float((a - b).abs().max()), float(b.abs().max())) for a, b in zip(got, expected, strict=True)]


@pytest.mark.parametrize("attention", ["eager"])
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("name", KINDS)
def test_cached_generation_equals_the_slow_reference(name, scenario, attention):
    with whole_float64():
        steps = both(name, scenario, attention, torch.float64)
    assert max(difference for difference, _ in steps) < 1e-12, steps
