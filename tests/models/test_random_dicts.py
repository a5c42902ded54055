"""Rope dicts drawn at random are read as the model of their type turns."""

import json

import pytest
from facts import single_and_quiet
from random_dicts import EACH, RESULT, SEED, tried


@pytest.mark.parametrize("model_type", ["llama", "glm4", "deepseek_v3", "gpt_oss"])
def test_a_sample_of_files_is_read_as_their_models_turn(model_type):
    with single_and_quiet():
        found = tried([model_type], 4, seed=2)
    assert found["counts"]["equal"] >= 1
    assert "differs" not in found["counts"], found["differing"]


def test_the_committed_result_is_of_every_type_and_without_a_difference():
    result = json.loads(RESULT.read_text())
    assert (result["each"], result["seed"]) == (EACH, SEED)
    assert sum(result["counts"].values()) > 200 * EACH
    assert result["counts"]["equal"] > 600
    assert "differs" not in result["counts"]
