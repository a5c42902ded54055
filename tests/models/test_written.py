"""Models of transformers made from configurations that to_config wrote, run."""

import dataclasses
import json
import warnings

import pytest
from compared import difference
from rotary_classes import text_models
from running import run
from spellings import config_from
from tiny import tiny_config

import yarncore as yc

LENGTH = 64
# One of each kind: plain, interleaved, part of a head, another key for that part, several positions, dicts by layer type,
# latent attention with a factor on its logits, layers that stand still.
SAMPLE = (
    "llama", "glm", "stablelm", "gpt_neox", "minimax_m2", "qwen2_vl_text", "qwen3_vl_text", "gemma3_text", "olmo3",
    "deepseek_v3", "cohere2", "smollm3", "gpt_oss",
)  # fmt: skip


def run_as_written(rotary, config, written):
    return run(rotary, type(config).from_dict(json.loads(json.dumps(written))), LENGTH)


@pytest.mark.usefixtures("quiet_transformers")
@pytest.mark.parametrize("truncate", [True, False])
@pytest.mark.parametrize("model_type", SAMPLE)
def test_a_model_made_from_what_was_written_turns_as_was_asked(model_type, truncate):
    rotary = text_models()[model_type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = tiny_config(config_from(model_type, rotary))
        own = yc.ropes_from_config(config.to_dict())
        plain = {name: rope and dataclasses.replace(rope, scaling=None) for name, rope in own.items()}
        yarn = {
            name: rope and dataclasses.replace(rope, scaling=yc.YaRN(4.0, 16, truncate=truncate))
            for name, rope in own.items()
        }
        without = yc.to_config(plain, config=config.to_dict())
        extended = yc.to_config(yarn, config=without)
        usual = run_as_written(rotary, config, without)
        ropes = yc.ropes_from_config(extended)
        assert dict(ropes) == yarn
        assert (
            difference(ropes, run_as_written(rotary, config, extended), usual, yc.ropes_from_config(without), LENGTH)
            is None
        )
