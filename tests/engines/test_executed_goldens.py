"""What the remaining engines of the goldens did when they were run, beside what is said of them, or read of their settings."""

import numpy as np
import pytest
from golden_files import golden, records

import yarncore as yc
from yarncore.configs.engines import keras_hub, litgpt, sglang
from yarncore.configs.engines.engine import RopeKeys, Shape

pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
PLAIN = yc.Rope(64, 1e4).inverse_frequencies
DEEPSEEK = {
    "model_type": "deepseek_v3", "num_attention_heads": 2, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "rope_theta": 1e4,
    "max_position_embeddings": 163840,
}  # fmt: skip
SHAPE = {"head_dim": 64, "hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 2}


def of(engine, *names):
    found = [r for r in records("engines_executed") if r["engine"] == engine]
    return [r for r in found if not names or any(name in r["name"] for name in names)]


def each(found):
    return pytest.mark.parametrize("record", found, ids=lambda r: r["name"])


def said(engine, rope, base=1e4):
    keys = RopeKeys(rope, "config", "rope_parameters")
    return yc.Rope(64, base, engine.scaling(engine.kind(keys), keys, Shape(64, False, 8192, None))).at()


def assert_computes(rotation, record):
    np.testing.assert_allclose(rotation.inverse_frequencies, record["inv_freq"], rtol=3e-6)
    assert rotation.attention_factor == pytest.approx(record["m"], rel=1e-6)


class TestLitgpt:
    def rope(self, record):
        given = dict(record["input"]["rope_adjustments"] or {})
        kind = (
            "llama3"
            if "low_freq_factor" in given
            else "yarn"
            if "beta_fast" in given
            else "linear"
            if given
            else "default"
        )
        original = given.pop("original_max_seq_len", None)
        return {"rope_type": kind, **given} | ({"original_max_position_embeddings": original} if original else {})

    @each(of("litgpt", "plain", "factor without betas", "llama3"))
    def test_it_computes_what_is_said(self, record):
        rope = self.rope(record)
        assert_computes(said(litgpt, rope), record)
        assert record["k"] == 1

    @each(of("litgpt", "yarn"))
    def test_its_yarn_is_said_to_be_none(self, record):
        rope = self.rope(record)
        with pytest.raises(yc.ConfigError, match="the wrong way round"):
            said(litgpt, rope)
        if "error" in record:
            return
        s, fast, slow = rope["factor"], rope["beta_fast"], rope["beta_slow"]
        if fast < slow:  # exchanged, it turns the right way
            assert record["inv_freq"][0] == pytest.approx(PLAIN[0])
            assert record["inv_freq"][-1] == pytest.approx(PLAIN[-1] / s)
            return
        yarn = yc.Rope(64, 1e4, yc.YaRN(s, 4096, beta_fast=fast, beta_slow=slow)).inverse_frequencies
        np.testing.assert_allclose(record["inv_freq"], PLAIN + PLAIN / s - yarn, rtol=3e-6)


@each(of("KerasHub"))
def test_keras_hub_s_layer_computes_what_is_said(record):
    given = dict(record["input"])
    del given["max_wavelength"], given["feature_dim"]
    rope = {"rope_type": given.pop("rope_type", "linear" if given else "default"), **given}
    if "scaling_factor" in rope:
        rope["factor"] = rope.pop("scaling_factor")
    if rope.get("factor", 1) < 1:  # a temperature below 1, which no scaling here says
        with pytest.raises(yc.ConfigError, match=r"factor is 0\.5"):
            said(keras_hub, rope)
        return
    assert_computes(said(keras_hub, rope), record)


class TestMegatron:
    @each(of("Megatron-Core", "MLA softmax"))
    def test_the_logits_of_latent_attention(self, record):
        given = record["input"]
        flags = ["--multi-latent-attention", "--rotary-scaling-factor", str(given["rotary_scaling_factor"])]
        flags += ["--mscale-all-dim", str(given["mscale_all_dim"]), "--rope-type", "yarn"]
        rotation = yc.from_config(flags, format="megatron").at()
        assert rotation.softmax_scale_factor == pytest.approx(record["k"], rel=1e-9)

    @each(of("Megatron-Core", "rotary_interleaved"))
    def test_yarn_has_no_interleaved_pairs(self, record):
        fields = {
            "yarn_rotary_scaling_factor": 4.0,
            "yarn_original_max_position_embeddings": 4096,
            "rotary_interleaved": True,
        }
        with pytest.raises(yc.ConfigError, match="rotary_interleaved"):
            yc.from_config({"position_embedding_type": "yarn", "kv_channels": 64, **fields})
        assert "does not support interleaved" in record["error"]

    @each(of("Megatron-Core", "yarn keys of TransformerConfig"))
    def test_the_fields_of_yarn_are_none_of_its_configuration(self, record):
        assert record["present"] == []
        with pytest.raises(yc.ConfigError) as caught:
            yc.to_config(yc.Rope(128, 1e6, yc.YaRN(4.0, 32768)), "megatron")
        named = record["note"].partition("reads ")[2].partition(" from")[0].split(", ")
        assert all(field in str(caught.value) for field in named)


class TestSglang:
    @each(of("sgl-project/sglang", "compute_mla_mscale_scaling"))
    def test_the_logits_of_latent_attention(self, record):
        line = ["python", "-m", "sglang.launch_server", "--model-path", "a/model"]
        rotation = yc.from_config(line, config=DEEPSEEK | {"rope_scaling": record["input"]}, strict=False).at()
        assert rotation.softmax_scale_factor == pytest.approx(record["k"], rel=1e-9)

    @each(of("sgl-project/sglang", "table grown past"))
    def test_frequencies_and_temperature_stay_beyond_the_stretched_length(self, record):
        rope = yc.Rope(64, 1e4, yc.YaRN(4.0, 4096))
        assert rope.at(record["input"]["needed"]) == rope.at()
        assert said(sglang, record["input"]["rope_scaling"]).attention_factor == pytest.approx(record["m"], rel=1e-6)

    @each(of("sgl-project/sglang", "apply_scale false", "apply_scale true"))
    def test_a_params_json_as_it_is_handed_on(self, record):
        assert_computes(said(sglang, record["rope_scaling_for_get_rope"], record["base_for_get_rope"]), record)


class TestVllm:
    @each(of("vllm-project/vllm", "positions_factor 1"))
    def test_sections_with_the_ramp_that_the_model_has(self, record):
        given = record["input"]["rope_parameters"]
        config = {
            "model_type": "qwen2_vl",
            "num_attention_heads": 8,
            "hidden_size": 512,
            "max_position_embeddings": 16384,
        }
        assert_computes(yc.from_config(config | {"rope_parameters": given}).at(), record)

    @each(of("vllm-project/vllm", "dual chunk and yarn"))
    def test_dual_chunks_are_warned_of(self, record):
        given = record["input"]
        config = SHAPE | {
            "model_type": "qwen2",
            "max_position_embeddings": 16384,
            "rope_parameters": given["rope_parameters"],
        }
        with pytest.warns(yc.ConfigWarning, match="dual_chunk_attention_config"):
            yc.from_config(config | {"dual_chunk_attention_config": given["dual_chunk_attention_config"]})

    @each(of("vllm-project/vllm", "rotary_emb_base and rotary_pct"))
    def test_keys_of_another_family_are_not_read_in_silence(self, record):
        assert record["rope_parameters"]["rope_theta"] != record["input"]["config_json"]["rotary_emb_base"]
        config = SHAPE | {"model_type": "qwen3", "rope_theta": 1e6} | record["input"]["config_json"]
        with pytest.raises(yc.ConfigError, match=r"rotary_(emb_base|pct)"):
            yc.from_config(config)

    @each(of("vllm-project/vllm", "config, longrope in config.json"))
    def test_longrope_in_the_file(self, record):
        config = SHAPE | {"model_type": "qwen3"} | record["input"]["config_json"]
        ropes = yc.ropes_from_config(["vllm", "serve", "a/model"], config=config)
        assert ropes.advertised_length == record["max_model_len"]

    @each(of("vllm-project/vllm", "model_max_length larger"))
    def test_the_larger_of_two_lengths_is_served(self, record):
        config = SHAPE | {"model_type": "qwen3"} | record["input"]["config_json"]
        line = ["vllm", "serve", "a/model", "--max-model-len", str(record["input"]["max_model_len"])]
        assert yc.ropes_from_config(line, config=config).advertised_length == record["max_model_len"]


@each([r for r in records("engines_executed") if r["name"].endswith("Mistral params.json, unknown key")])
def test_an_unknown_key_of_a_params_json_is_refused_as_engines_do(record):
    assert "gamma" in record["error"]
    with pytest.raises(yc.ConfigError, match=r"yarn\.gamma is not understood"):
        yc.from_config(record["input"]["params_json"])


# Who reproduces the goldens of whom: a record of an engine that nobody is named for is a record that nobody looks at.
REPRODUCED = {
    "engines": {
        "vllm-project/vllm", "jquesnelle/yarn", "sgl-project/sglang", "ggml-org/llama.cpp", "ml-explore/mlx-lm",
        "lucidrains/rotary-embedding-torch", "onnx",  # tests/scaling/test_engine_goldens.py
        "pytorch/torchtitan", "NVIDIA/Megatron-LM",  # tests/configs/test_more_engines.py
        "openai/gpt-oss", "deepseek-ai/DeepSeek-V3",  # tests/configs/test_own_json.py
    },
    "engines_executed": {
        "vllm-project/vllm", "sgl-project/sglang",  # tests/configs/test_engines.py, test_serving.py, and here
        "ggml-org/llama.cpp",  # tests/configs/test_gguf_goldens.py, test_llama_cpp.py
        "ggml-org/llama.cpp converter",  # tests/doctor/test_mistakes.py
        "mlx-lm", "onnxruntime-genai", "torchtitan", "Megatron-Core",  # tests/configs/test_more_engines.py, and here
        "litgpt", "KerasHub",  # here
        "Liger",  # takes cos and sin as they are: there is nothing to reproduce
    },
}  # fmt: skip


@pytest.mark.parametrize("file", REPRODUCED)
def test_no_engine_s_records_are_left_aside(file):
    assert {record["engine"] for record in golden(file)["records"]} == REPRODUCED[file]
