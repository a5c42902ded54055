"""Command lines of llama.cpp that were run, and what from_config reads from them."""

import re
import shlex

import numpy as np
import pytest
from gguf_files import GOLDEN_FILES, key_values
from golden_files import records
from test_gguf_goldens import assert_computes, read

import yarncore as yc

pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")

WITH_FLAGS = [record for record in GOLDEN_FILES if record["input"]["flags"]]
SERVERS = [record for record in records("engines_executed") if record["name"].startswith("llama-server")]
REFUSED = {
    "llama.cpp: qwen3, --yarn-ext-factor between": "mixes two ramps",
    "llama.cpp: qwen3, --yarn-ext-factor 0 --yarn-attn-factor": "attn_factor is 0.5 without YaRN",
    "llama.cpp: phi3, rope_factors tensors, yarn by flags on top": "ramp on the divided frequencies",
    "llama.cpp: deepseek2, A in the file, --yarn-ext-factor 0": "multiplies the logits of this architecture all the same",
}


def line(record):
    return ["llama-server", *shlex.split(record["input"]["flags"])]


@pytest.mark.parametrize("record", [r for r in WITH_FLAGS if r["name"] not in REFUSED], ids=lambda r: r["name"])
def test_flags_are_read_as_llama_cpp_ran_them(record):
    ropes = yc.ropes_from_config(line(record), config=key_values(record))
    first = ropes.layers[0] if ropes.layers else ropes.one()
    assert_computes(first, record)
    assert (
        read(" ".join(line(record)), config=key_values(record), layer_type="full_attention") == ropes["full_attention"]
    )
    train = record["n_ctx_train"][1]
    assert ropes.advertised_length == train


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_scaling_says_is_refused_by_name(name):
    (record,) = [record for record in WITH_FLAGS if record["name"] == name]
    with pytest.raises(yc.ConfigError, match=REFUSED[name]):
        read(line(record), config=key_values(record))


def test_flags_reach_only_the_layers_of_gpt_oss_that_have_no_window():
    (record,) = [r for r in WITH_FLAGS if r["architecture"] == "gpt-oss"]
    ropes = yc.ropes_from_config(line(record), config=key_values(record))
    assert ropes["sliding_attention"].scaling.factor == 32
    assert ropes["full_attention"].scaling.factor == 64
    assert ropes.layer_types == ("sliding_attention", "full_attention")


@pytest.mark.parametrize("record", [r for r in SERVERS if "exit" not in r], ids=lambda r: r["name"])
def test_a_slot_of_llama_server_has_the_length_that_is_told(record):
    shape = {"general.architecture": "qwen3", "qwen3.attention.key_length": 64, "qwen3.rope.freq_base": 1e4}
    log = "\n".join(record["log"])
    ropes = yc.ropes_from_config(line(record), config=shape | record["input"]["gguf"])
    assert ropes.advertised_length == int(re.search(r"n_ctx_slot = (\d+)", log)[1])
    scale = float(re.search(r"llama_context: freq_scale = ([\d.]+)", log)[1])
    scaling = ropes.one().scaling
    assert (1.0 if scaling is None else scaling.factor) == 1 / scale


def test_a_method_that_llama_server_does_not_know_is_refused():
    (record,) = [record for record in SERVERS if "exit" in record]
    with pytest.raises(yc.ConfigError, match="--rope-scaling is 'dynamic'; one of none, linear, yarn"):
        read(
            line(record),
            config={"general.architecture": "qwen3"} | {"qwen3.context_length": 256, "qwen3.attention.key_length": 64},
        )


PLAIN = {
    "general.architecture": "qwen3", "qwen3.context_length": 32768, "qwen3.attention.key_length": 128,
    "qwen3.rope.freq_base": 1e6,
}  # fmt: skip


class TestWriting:
    def test_the_flags_of_the_documentation(self):
        written = yc.to_config(yc.Rope(128, 1e6, yc.YaRN(4.0, 32768)), "llama.cpp", config=PLAIN)
        assert shlex.join(written) == "--rope-scaling yarn --rope-scale 4 --yarn-orig-ctx 32768 -c 131072"
        ropes = yc.ropes_from_config(written, config=PLAIN)
        assert ropes.advertised_length == 131072

    @pytest.mark.parametrize("scaling", [
        None, yc.PositionInterpolation(2.0), yc.YaRN(2.5, 4096), yc.YaRN(8.0, 4096, beta_fast=16.0, beta_slow=2.0),
    ], ids=repr)  # fmt: skip
    @pytest.mark.parametrize("own", [None, yc.YaRN(4.0, 32768), yc.PositionInterpolation(3.0)], ids=repr)
    def test_whatever_the_file_has_it_is_read_back(self, scaling, own):
        file = PLAIN | yc.to_config(yc.Rope(128, 1e6, own), "gguf", config=PLAIN)
        rope = yc.Rope(128, 5e5, scaling)
        written = yc.to_config(
            rope, "llama.cpp", config={key: value for key, value in file.items() if value is not None}
        )
        assert yc.from_config(written, config=file) == rope

    def test_linear_flags_do_not_raise_the_length_and_that_is_said(self):
        with pytest.warns(yc.ConfigWarning, match="serves 32768 of 65536 tokens"):
            yc.to_config(yc.Rope(128, 1e6, yc.PositionInterpolation(2.0)), "llama.cpp", config=PLAIN, length=65536)

    def test_a_file_of_its_own_is_named(self, tmp_path):
        from test_gguf_files import write_model

        path = write_model(tmp_path / "model.gguf")
        rope = yc.Rope(64, 1e6, yc.YaRN(4.0, 32768))
        written = yc.to_config(rope, "llama.cpp", config=path)
        assert written[:2] == ["-m", str(path)]
        assert yc.from_config(["llama-server", *written]) == rope

    @pytest.mark.parametrize(("rope", "words"), [
        (yc.Rope(128, 1e6, yc.YaRN(4, 32768, attention_factor=1.0)), "attention_factor 1.13863 in place of 1"),
        (yc.Rope(128, 1e6, yc.YaRN(4, 32768, truncate=False)), "truncate=False"),
        (yc.Rope(128, 1e6, yc.Llama3(8.0, 8192)), "linear and yarn; Llama3"),
        (yc.Rope(128, 1e6, yc.DynamicNTK(32768, 2.0)), "linear and yarn; DynamicNTK"),
    ], ids=repr)  # fmt: skip
    def test_what_flags_cannot_express(self, rope, words):
        with pytest.raises(yc.ConfigError, match=words):
            yc.to_config(rope, "llama.cpp", config=PLAIN)

    def test_flags_count_the_temperature_of_a_deepseek_file_twice(self):
        file = {
            "general.architecture": "deepseek2",
            "deepseek2.context_length": 4096,
            "deepseek2.rope.dimension_count": 64,
        }
        rope = yc.Rope(
            64, 1e4, yc.YaRN(40.0, 4096, mscale=1.0, mscale_all_dim=1.0, softmax_mscale=1.0), interleaved=True
        )
        with pytest.raises(yc.ConfigError, match=r"attention_factor 1\.36889 in place of 1"):
            yc.to_config(rope, "llama.cpp", config=file)
        assert yc.to_config(rope, "gguf", config=file)["deepseek2.rope.scaling.yarn_log_multiplier"] == 0.1


@pytest.mark.parametrize(("flags", "words"), [
    ("--rope-scaling yarn --rope-scale", "--rope-scale is True"),
    ("--rope-scaling yarn --rope-scale four", "--rope-scale is 'four'"),
    ("--yarn-orig-ctx 3.5 --rope-scale 2", "--yarn-orig-ctx is 3.5"),
    ("--rope-scaling yarn --yarn-beta-medium 2 --rope-scale 2", "--yarn-beta-medium is not understood"),
    ("--rope-scale 4 --override-kv nonsense", "--override-kv is 'nonsense'; KEY=TYPE:VALUE"),
    ("--rope-scale 'unbalanced", "No closing quotation"),
    ("--rope-scaling yarn --rope-scale 4 --yarn-beta-fast 1 --yarn-beta-slow 32", "exchanged"),
])  # fmt: skip
def test_what_is_wrong_on_a_command_line_is_named(flags, words):
    with pytest.raises(yc.ConfigError, match=words):
        yc.from_config(f"llama-server {flags}", config=PLAIN)


def test_without_a_file_it_says_what_is_needed():
    with pytest.raises(yc.ConfigError, match="-m names no file"):
        yc.from_config("llama-server --rope-scale 4")
    with pytest.raises(ValueError, match="config is given, and gguf is a configuration itself"):
        yc.from_config(PLAIN, config=PLAIN)


def test_no_flag_leaves_the_file_as_it_is():
    assert yc.from_config(["llama-server", "-c", "4096", "--temp", "0.7"], config=PLAIN) == yc.from_config(PLAIN)
    assert np.all(yc.from_config(PLAIN).inverse_frequencies > 0)
