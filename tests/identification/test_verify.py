"""verify: a match, or the reasons why not."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

import yarncore as yc

YARN = yc.Rope(128, 1e4, yc.YaRN(16.0, 4096))


def tables(rope, factor=1.0, **how):
    return tuple(factor * table for table in yc.engines.cos_sin(rope, np.arange(600), **how))


MATCHES = {
    "frequencies": YARN.inverse_frequencies,
    "in float32": YARN.inverse_frequencies.astype(np.float32),
    "other betas of the same table": yc.Rope(
        128, 1e4, yc.YaRN(16.0, 8192, beta_fast=64, beta_slow=2)
    ).inverse_frequencies,
    "tables": tables(YARN),
    "ggml's tables": tables(YARN, phase="float32-recurrence"),
    "exact tables": YARN.cos_sin(np.arange(600), dtype=np.float32),
    "a function": lambda q, k, p: YARN.rotate(q, k, p, heads_axis=-2),
    "a Rotation": YARN.at(),
}


@pytest.mark.parametrize("name", MATCHES)
def test_what_rotates_so_matches(name):
    found = yc.verify(MATCHES[name], YARN)
    assert found and found.matches and not found.reasons, str(found)


DIFFERS = {
    "the ramp was not rounded": (yc.Rope(128, 1e4, yc.YaRN(16.0, 4096, truncate=False)).inverse_frequencies, "25 of 64 frequencies differ \\(pairs 21 to 45\\)"),
    "told what it is": (yc.Rope(128, 1e4).inverse_frequencies, "it is Rope\\(head_dim=128\\)"),
    "another number of pairs": (yc.Rope(64).inverse_frequencies, "it has 32 frequencies, 64 are expected"),
    "nothing known": (YARN.inverse_frequencies * np.linspace(1, 1.1, 64) ** 2, "no method that is known; nearest"),
    "without a temperature": (tables(yc.Rope(128, 1e4, yc.NTKByParts(16.0, 4096))), "the temperature is missing"),
    "temperature twice": (tables(YARN, YARN.at().attention_factor), "applied twice"),
    "another amplitude": (tables(YARN, 1.1), "amplitude 1.40"),
    "negated": ((tables(YARN)[0], -tables(YARN)[1]), "sin is negated"),
    "bfloat16 positions": (tables(YARN, position_type="bfloat16"), "positions were rounded to bfloat16"),
    "interleaved": (lambda q, k, p: yc.Rope(128, 1e4, YARN.scaling, interleaved=True).rotate(q, k, p, heads_axis=-2), "pairs are \\(2i, 2i\\+1\\)"),
    "backwards": (lambda q, k, p: yc.Rope(128, 1e4, YARN.scaling, reversed=True).rotate(q, k, p, heads_axis=-2), "minus the position"),
    "k by another factor": (lambda q, k, p: YARN.rotate(q, 2 * k, p, heads_axis=-2), "k is rotated otherwise"),
    "cast": (torch.tensor(YARN.inverse_frequencies).bfloat16(), "rounded to bfloat16"),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERS)
def test_what_rotates_otherwise_is_told_why(name):
    x, words = DIFFERS[name]
    found = yc.verify(x, YARN)
    assert not found
    import re

    assert any(re.search(words, reason) for reason in found.reasons), str(found)


def test_a_reversed_rope_is_one_whose_function_turns_back_and_whose_tables_do_not():
    back = yc.Rope(64, 1e4, reversed=True)
    assert yc.verify(lambda q, k, p: back.rotate(q, k, p, heads_axis=-2), back)
    assert yc.verify(tables(yc.Rope(64)), back)


def test_scalings_that_look_at_the_length_are_compared_at_one():
    dynamic = yc.Rope(64, 1e4, yc.DynamicYaRN(4096))
    twice = yc.Rope(64, 1e4, yc.YaRN(2.0, 4096)).inverse_frequencies
    assert yc.verify(twice, dynamic, length=8192)
    assert not yc.verify(twice, dynamic, length=4096)


def test_a_live_module_is_compared_with_its_configuration():
    parameters = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 32768}
    config = LlamaConfig(head_dim=64, hidden_size=128, num_attention_heads=2, max_position_embeddings=131072, rope_parameters=parameters)  # fmt: skip
    module = LlamaRotaryEmbedding(config)
    assert yc.verify(module, yc.from_config(config))
    assert yc.verify(module, yc.ropes_from_config(config))
    other = yc.verify(module, yc.Rope(64, 1e6))
    assert not other and other.reasons[0].startswith("LlamaRotaryEmbedding: ")


def test_only_a_rope_can_be_expected():
    with pytest.raises(TypeError, match="rope is str"):
        yc.verify([1.0, 0.1, 0.01], "yarn")
    with pytest.raises(ValueError, match="2 different Ropes, of full, sliding"):
        yc.verify([1.0, 0.1, 0.01], {"full": yc.Rope(6), "sliding": yc.Rope(6, 1e6)})
    with pytest.raises(TypeError, match="rope has str for 'full'; a Rope or None"):
        yc.verify([1.0, 0.1, 0.01], {"full": "yarn"})
