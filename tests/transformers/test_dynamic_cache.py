"""Scalings that follow the length, with a cache, against the slow reference."""

import pytest
import torch
from dynamic_runs import SCENARIOS, drafting, logits_of
from slow_reference import Reference
from transformers import DynamicCache
from twelve_kinds import KINDS
from whole_float64 import whole_float64

from yarncore.transformers import extend


def both(name, scenario, attention, dtype, keys="rerotated"):
    """The largest difference of the logits of each forward, and their largest magnitude."""
    kind = KINDS[name]
    model = kind.make(attention, dtype)
    reference = Reference(model, kind.decoder(model), kind.rotaries, kind.functions)
    run, draft = SCENARIOS[scenario], drafting(model)
    with torch.no_grad():
        with reference.running(), logits_of(model) as expected:
            run(model, reference.new_cache(), draft)
        extend(model, kind.scaling, replace=True, keys=keys)
        with logits_of(model) as got:
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
