"""What describe tells is the same wherever the language model stands within its file, and needs the source once."""

import io
import json
import sys
from pathlib import Path

import pytest

import yarncore as yc
from yarncore.__main__ import main
from yarncore.reports.description import describe

CONFIGS = Path(__file__).parents[2] / "examples" / "configs"
NESTINGS = ["text_config", "llm_config", "language_config", "thinker_config", "thinker_config.text_config"]
DEEPSEEK = {
    "model_type": "deepseek_v3", "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 32,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "max_position_embeddings": 163840, "rope_theta": 10000,
    "rope_scaling": {"type": "yarn", "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0, "beta_fast": 32, "beta_slow": 1,
                     "original_max_position_embeddings": 4096},
}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")


def nested(config, keys):
    for key in reversed(keys.split(".")):
        config = {"model_type": "some_composite", key: config}
    return config


@pytest.mark.parametrize("keys", NESTINGS)
@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.json")), ids=lambda p: p.stem)
def test_every_example_is_described_alike_under_every_nesting_key(file, keys):
    config = json.loads(file.read_text())
    assert describe(nested(config, keys)) == describe(config)


@pytest.mark.parametrize("keys", NESTINGS)
def test_the_softmax_scale_of_a_nested_deepseek_counts_the_whole_query(keys):
    described = describe(nested(DEEPSEEK, keys))
    assert (described.heads, described.key_heads, described.query_dim) == (32, 1, 192)
    # 1.87385 / sqrt(192): (0.1 ln 40 + 1)^2 on the logits, and the unturned part of the query counts
    assert described.as_dict()["softmax_scale"] == pytest.approx(0.1352, abs=5e-5)


def test_a_source_is_looked_at_once(monkeypatch, capsys):
    """So that a pipe can be one."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(DEEPSEEK).encode())))
    assert main(["show", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["softmax_scale"] == pytest.approx(0.1352, abs=5e-5)


def test_an_endless_pipe_is_not_read_to_its_end(monkeypatch):
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, into):
            into[:] = b" " * len(into)
            return len(into)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    with pytest.raises(yc.ConfigError, match="at most"):
        yc.from_config("-")


def test_a_model_of_which_a_layer_is_chosen_is_described_by_that_layer():
    config = {
        "model_type": "gemma3_text", "hidden_size": 2560, "num_attention_heads": 8, "head_dim": 256,
        "rope_theta": 1e6, "rope_local_base_freq": 1e4, "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        "max_position_embeddings": 131072, "num_hidden_layers": 6,
    }  # fmt: skip
    assert describe(config, layer_type="sliding_attention").rope == yc.Rope(256, 1e4)
    assert describe(config, layer_type="full_attention").factor == 8
