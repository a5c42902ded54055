"""Plans and comparisons of mutated configurations are made or refused in words; nothing else is raised."""

import random

import pytest
from mutated_configs import mutated, seeds

import yarncore as yc

WORDS = ["yarn:4", "pi:2", "ntk:8", "dynamic-yarn", "plain", "dynamic-ntk"]


@pytest.mark.filterwarnings("ignore")
def test_mutated_configurations_are_planned_and_compared_or_refused():
    generator, given, made = random.Random(5), seeds(), 0
    for _ in range(150):
        source, config = generator.choice(given)
        source = mutated(source, generator)
        target = generator.choice([1, 4096, 131072, 2**40, 2**52])
        for call in (
            lambda source=source, target=target: yc.plan(source, target, replace=True).as_dict(),
            lambda source=source, config=config: yc.compare(source, generator.choice(WORDS), config=config).as_dict(),
        ):
            try:
                made += bool(call())
            except ValueError:  # ConfigError is one
                continue
    assert made > 30


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "key", ["model_type", "original_max_position_embeddings", "sliding_window", "v_head_dim", "num_kv_shared_layers"]
)
@pytest.mark.parametrize("value", [[], {}, "x", -1, True, 1e300])
def test_what_is_only_looked_at_may_hold_anything(key, value):
    """A list for a model type had raised TypeError: unhashable."""
    config = {"model_type": "llama", "head_dim": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "rope_theta": 1e4,
              "max_position_embeddings": 4096}  # fmt: skip
    try:
        found = yc.ropes_from_config(config | {key: value}, strict=False)
    except yc.ConfigError:
        return
    assert found["full_attention"] == yc.Rope(64)
