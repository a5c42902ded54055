"""The JSON files of Mistral, DeepSeek and gpt-oss: what their own code computed, and what from_config reads."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from golden_files import records
from hypothesis import given, settings
from hypothesis import strategies as st

import yarncore as yc

EXAMPLES = Path(__file__).parents[2] / "examples" / "configs"
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")

GPT_OSS = [r for r in records("engines") if r["engine"] == "openai/gpt-oss"]
DEEPSEEK = [r for r in records("engines") if r["engine"] == "deepseek-ai/DeepSeek-V3"]
MISTRAL = [
    r for r in records("engines_executed")
    if r["engine"] == "vllm-project/vllm" and "params_json" in r["input"] and "error" not in r
]  # fmt: skip


def assert_computes(rope, inv_freq, m, k):
    rotation = rope.at()
    np.testing.assert_allclose(rotation.inverse_frequencies, inv_freq, rtol=3e-6)
    assert rotation.attention_factor == pytest.approx(m, rel=1e-6)
    assert rotation.softmax_scale_factor == pytest.approx(k, rel=1e-6)


@pytest.mark.parametrize("record", [*GPT_OSS, *DEEPSEEK], ids=lambda r: r["name"])
def test_a_model_s_own_code_computes_what_is_read(record):
    rope = yc.from_config(record["config"])
    assert_computes(rope, record["inv_freq"], record["amplitude"], record["softmax_scale_factor"])
    assert rope.interleaved is (record["layout"] == "interleaved")
    assert rope.rotary_dim == record["rotary_dim"]


@pytest.mark.parametrize("record", MISTRAL, ids=lambda r: r["name"])
def test_vllm_computes_what_is_read_of_a_params_json(record):
    """The engine turns pairs (i, i + n/2) of weights that it has permuted; the file's own are (2i, 2i + 1)."""
    ropes = yc.ropes_from_config(record["input"]["params_json"])
    rope = ropes.one()
    assert_computes(yc.Rope(64, rope.base, rope.scaling), record["inv_freq"], record["m"], 1.0)
    assert rope.interleaved
    assert rope.head_dim == record["input"]["params_json"]["head_dim"]
    assert (ropes.heads, ropes.key_heads, ropes.advertised_length) == (2, 2, 262144)


class TestFormats:
    def test_each_is_recognised_and_can_be_insisted_upon(self):
        for record, name in ((GPT_OSS[0], "gpt-oss"), (DEEPSEEK[0], "deepseek")):
            assert yc.from_config(record["config"]) == yc.from_config(record["config"], format=name)
        params = MISTRAL[0]["input"]["params_json"]
        assert yc.from_config(params) == yc.from_config(params, format="mistral")

    def test_the_same_model_in_two_dialects_is_one_rope(self):
        """gpt-oss and DeepSeek-V3: the original files beside those of transformers."""
        original = {"head_dim": 64, "rope_theta": 150000, "initial_context_length": 4096, "rope_scaling_factor": 32.0,
                    "rope_ntk_alpha": 1.0, "rope_ntk_beta": 32.0}  # fmt: skip
        assert yc.from_config(original) == yc.from_config(EXAMPLES / "gpt-oss-20b.json")
        arguments = {"max_seq_len": 16384, "original_seq_len": 4096, "rope_theta": 10000.0, "rope_factor": 40,
                     "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "qk_rope_head_dim": 64}  # fmt: skip
        assert yc.from_config(arguments) == yc.from_config(EXAMPLES / "deepseek-v3.json")

    def test_deepseek_s_length_decides_whether_anything_is_scaled(self):
        arguments = {"qk_rope_head_dim": 64, "rope_factor": 40, "original_seq_len": 4096}
        assert yc.from_config(arguments | {"max_seq_len": 4096}).scaling is None
        assert yc.from_config(arguments | {"max_seq_len": 4097}).scaling.factor == 40

    def test_defaults_that_are_taken_are_said(self):
        with pytest.warns(yc.ConfigWarning, match="defaults of ModelArgs are taken for .*rope_factor 40"):
            yc.from_config({"original_seq_len": 4096})
        with pytest.warns(yc.ConfigWarning, match="defaults of ModelConfig are taken for .*rope_scaling_factor 32"):
            yc.from_config({"rope_ntk_beta": 32.0})

    def test_the_query_scale_of_a_params_json_is_read_and_written(self):
        params = MISTRAL[0]["input"]["params_json"] | {
            "llama_4_scaling": {"original_max_position_embeddings": 16384, "beta": 0.1}
        }
        rope = yc.from_config(params)
        assert rope.query_scale == yc.LogSteps(beta=0.1, original_length=16384)
        written = yc.to_config(rope, "mistral")
        assert written["llama_4_scaling"] == params["llama_4_scaling"]
        assert yc.from_config(written) == yc.from_config(yc.to_config(rope, "mistral", config=params)) == rope
        plain = dataclasses.replace(rope, query_scale=None)
        assert "llama_4_scaling" not in yc.to_config(plain, "mistral", config=params)
        for scale in (yc.LogSteps(0.1, 16384, offset=1), yc.LogN(16384)):
            with pytest.raises(yc.ConfigError, match=r"queries at position .* multiplied by 1 in place of"):
                yc.to_config(dataclasses.replace(rope, query_scale=scale), "mistral")
        for scaling, missing in (({"beta": 0.1}, "original_max"), ({"original_max_position_embeddings": 8}, "beta")):
            with pytest.raises(yc.ConfigError, match=rf"llama_4_scaling\.{missing}.* is missing"):
                yc.from_config(params | {"llama_4_scaling": scaling})
        latent = params | {"qk_rope_head_dim": 64, "qk_nope_head_dim": 128}
        with pytest.warns(yc.ConfigWarning, match="llama_4_scaling: whole queries .* the other 128 elements"):
            assert yc.from_config(latent).query_scale == rope.query_scale


def yarn(truncate, softmax):
    """The temperatures that a dialect has: the usual one and none; or one on the logits alone."""

    def build(factor, length, betas, choice):
        if softmax:
            temperature = {"mscale": choice, "mscale_all_dim": choice, "softmax_mscale": choice}
        else:
            temperature = {"attention_factor": 1.0} if choice == 1.0 else {}
        return yc.YaRN(factor, length, beta_fast=betas[0], beta_slow=betas[1], truncate=truncate, **temperature)

    return st.builds(
        build, st.sampled_from([2.0, 16.0, 40.0]), st.sampled_from([4096, 16384]), st.sampled_from([(32.0, 1.0), (16.0, 2.0)]),
        st.sampled_from([0.707, 1.0]),
    )  # fmt: skip


@given(yarn(truncate=True, softmax=False))
@settings(max_examples=30, deadline=None)
def test_what_is_written_for_mistral_is_read_back(scaling):
    rope = yc.Rope(128, 1e6, scaling, interleaved=True)
    written = yc.to_config(rope, "mistral")
    assert yc.from_config(json.loads(json.dumps(written))) == rope
    assert written["max_position_embeddings"] == round(scaling.factor * scaling.original_length)


@given(yarn(truncate=True, softmax=True) | st.none())
@settings(max_examples=30, deadline=None)
def test_what_is_written_for_deepseek_is_read_back(scaling):
    rope = yc.Rope(64, 1e4, scaling, interleaved=True)
    assert yc.from_config(json.loads(json.dumps(yc.to_config(rope, "deepseek")))) == rope


@given(st.sampled_from([2.0, 16.0, 32.0]), st.sampled_from([(32.0, 1.0), (16.0, 2.0)]))
@settings(max_examples=20, deadline=None)
def test_what_is_written_for_gpt_oss_is_read_back(factor, betas):
    rope = yc.Rope(64, 150000.0, yc.YaRN(factor, 4096, beta_fast=betas[0], beta_slow=betas[1], truncate=False))
    assert yc.from_config(json.loads(json.dumps(yc.to_config(rope, "gpt-oss")))) == rope


@pytest.mark.parametrize("record", MISTRAL, ids=lambda r: r["name"])
def test_a_whole_file_keeps_what_does_not_concern_the_rotation(record):
    params = record["input"]["params_json"]
    rope = yc.from_config(params)
    plain = yc.to_config(yc.Rope(rope.head_dim, rope.base, interleaved=True), "mistral", config=params)
    assert "yarn" not in plain
    written = yc.to_config(rope, "mistral", config=plain)
    assert yc.from_config(written) == rope
    assert {key: value for key, value in written.items() if key not in ("yarn", "max_position_embeddings")} == {
        key: value for key, value in params.items() if key not in ("yarn", "max_position_embeddings")
    }


@pytest.mark.parametrize(("rope", "format", "words"), [
    (yc.Rope(64, 1e4, yc.YaRN(4, 4096)), "mistral", "interleaved True in place of False"),
    (yc.Rope(64, 1e4, yc.YaRN(4, 4096, attention_factor=1.2), interleaved=True), "mistral", "attention_factor 1.13863 in place of 1.2"),
    (yc.Rope(64, 1e4, yc.YaRN(4, 4096, truncate=False), interleaved=True), "mistral", "truncate=False .*always rounded"),
    (yc.Rope(64, 1e4, yc.Llama3(8, 8192), interleaved=True), "mistral", "no method but YaRN; Llama3"),
    (yc.Rope(64, 1e4, yc.YaRN(40, 4096), interleaved=True), "deepseek", "attention_factor 1 in place of 1.36"),
    (yc.Rope(64, 150000.0, yc.YaRN(32, 4096)), "gpt-oss", "truncate=True .*never rounded.*pair"),
    (yc.Rope(64, 1e4, yc.YaRN(32, 4096, beta_fast=1.0)), "gpt-oss", "gpt-oss's own code stops unless"),
    (yc.Rope(64, 1e4, yc.DynamicYaRN(4096, max_factor=4), interleaved=True), "deepseek", "a scale that follows the length"),
], ids=str)  # fmt: skip
def test_what_they_cannot_express_is_named_with_its_size(rope, format, words):
    with pytest.raises(yc.ConfigError, match=words):
        yc.to_config(rope, format)


@pytest.mark.parametrize(("config", "words"), [
    ({"dim": 64, "n_layers": 2, "n_heads": 2, "rope_theta": 1e6, "yarn": {"factor": 8}}, "yarn.original_max_position_embeddings is missing"),
    ({"dim": 64, "n_layers": 2, "n_heads": 2, "rope_theta": 1e6, "yarn": {"factor": 8, "original_max_position_embeddings": 8192, "gamma": 1}}, "yarn.gamma is not understood"),
    ({"dim": 64, "n_layers": 2, "n_heads": 2, "rope_theta": 1e6, "yarn": [8]}, "yarn is .*an object or null"),
    ({"dim": 64, "n_layers": 2, "n_heads": 2}, "rope_theta is missing"),
    ({"dim": 64, "n_layers": 2, "n_heads": 2, "rope_theta": 1e6, "rope_scaling": {"factor": 2}}, "rope_scaling is not understood"),
    ({"original_seq_len": 4096, "rope_factor": 0.5}, "rope_factor"),
    ({"original_seq_len": 4096, "qk_rope_head_dim": 63}, "head_dim is 63"),
    ({"original_seq_len": 4096, "beta_fast": 1, "beta_slow": 32}, "exchanged"),
    ({"rope_ntk_alpha": 1.0, "rope_scaling_factor": "32"}, "rope_scaling_factor is '32'"),
    ({"rope_ntk_alpha": 32.0, "rope_ntk_beta": 1.0}, "stops unless"),
    ({"rope_ntk_alpha": 1.0, "rope_yarn_factor": 2}, "rope_yarn_factor is not understood"),
], ids=str)  # fmt: skip
def test_what_is_wrong_in_a_file_is_named_by_its_path(config, words):
    with pytest.raises(yc.ConfigError, match=words):
        yc.from_config(config)
