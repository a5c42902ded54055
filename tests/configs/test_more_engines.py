"""mlx-lm, onnxruntime-genai, torchtitan and Megatron: what they computed when they were run, and what from_config reads."""

import json

import numpy as np
import pytest
from golden_files import records

import yarncore as yc
from yarncore.configs.engines import genai, mlx_lm
from yarncore.configs.engines.engine import RopeKeys, Shape

pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")


def of(engine, file="engines_executed"):
    return [record for record in records(file) if record["engine"] == engine]


def assert_computes(rope, record, m="m", length=None):
    rotation = rope.at(length)
    np.testing.assert_allclose(rotation.inverse_frequencies, [f or 0 for f in record["inv_freq"]], rtol=8e-6, atol=0)
    assert rotation.attention_factor == pytest.approx(record[m], rel=2e-6)


class TestMlxLm:
    RUN = [r for r in of("mlx-lm") if "scaling_config" in r["input"]]  # noqa: RUF012

    def rope(self, record):
        given = record["input"]
        keys = RopeKeys(given["scaling_config"], "config", "rope_scaling")
        shape = Shape(given["dims"], False, given["max_position_embeddings"], None)
        return yc.Rope(given["dims"], given["base"], mlx_lm.scaling(mlx_lm.kind(keys), keys, shape))

    @pytest.mark.parametrize("record", [r for r in RUN if "error" not in r], ids=lambda r: r["name"])
    def test_it_computes_what_is_said(self, record):
        rope = self.rope(record)
        assert_computes(rope, record, length=record["input"].get("tokens") or (16384 if rope.scaling else None))

    @pytest.mark.parametrize("record", [r for r in RUN if "error" in r], ids=lambda r: r["name"])
    def test_where_it_fails_it_is_an_error(self, record):
        with pytest.raises(yc.ConfigError):
            self.rope(record)

    @pytest.mark.parametrize(
        "record", [r for r in of("mlx-lm") if "qk_rope_head_dim" in r["input"]], ids=lambda r: r["name"]
    )
    def test_deepseek_s_attention(self, record):
        config = {
            "model_type": "deepseek_v3",
            "rope_theta": 1e4,
            "num_attention_heads": 2,
            "max_position_embeddings": 163840,
        }
        rotation = yc.from_config(config | record["input"], format="mlx-lm").at()
        assert rotation.attention_factor == pytest.approx(record["m"], rel=1e-6)
        assert rotation.softmax_scale_factor == pytest.approx(record["k"], rel=1e-6)

    def test_keys_that_it_passes_over_are_warned_of(self):
        rope = {
            "type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 4096,
            "attention_factor": 1.0,
            "truncate": False,
        }
        config = {"model_type": "llama", "head_dim": 64, "rope_theta": 1e4, "rope_scaling": rope}
        with pytest.warns(yc.ConfigWarning) as caught:
            assert yc.from_config(config, format="mlx-lm").scaling.truncate
        assert any(
            "attention_factor: mlx-lm 0.32.2 does not read it: the factor is 1.13863" in str(w.message) for w in caught
        )
        with pytest.raises(yc.ConfigError, match="cannot express"):
            yc.to_config(yc.from_config(config), "mlx-lm", config=config)


class TestGenai:
    RUN = of("onnxruntime-genai")

    def config(self, record):
        model_type = {"MistralModel": "mistral", "LlamaModel": "llama", "Qwen3Model": "qwen3"}[
            record["input"]["builder"]
        ]
        return {"model_type": model_type, "num_attention_heads": 2, "hidden_size": 128, **record["input"]["config"]}

    @pytest.mark.parametrize("record", [r for r in RUN if "error" not in r], ids=lambda r: r["name"])
    def test_a_builder_computes_what_is_said(self, record):
        assert_computes(yc.from_config(self.config(record), format="genai"), record)

    @pytest.mark.parametrize("record", [r for r in RUN if "error" in r], ids=lambda r: r["name"])
    def test_where_it_fails_it_is_an_error(self, record):
        with pytest.raises(yc.ConfigError):
            yc.from_config(self.config(record), format="genai")

    def test_a_builder_that_was_not_run_is_refused_and_a_rounded_ramp_cannot_be_had(self):
        yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096, "rope_theta": 1e4}
        config = {
            "model_type": "gemma",
            "head_dim": 64,
            "num_attention_heads": 2,
            "hidden_size": 128,
            "rope_parameters": yarn,
        }
        with pytest.raises(yc.ConfigError, match="builder of model_type 'gemma' was not run"):
            yc.from_config(config, format="genai")
        plain = config | {"model_type": "qwen3", "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}
        with pytest.raises(yc.ConfigError, match=r"pair \d+ turns"):
            yc.to_config(yc.Rope(64, 1e4, yc.YaRN(4.0, 4096)), "genai", config=plain)
        unrounded = yc.Rope(64, 1e4, yc.YaRN(4.0, 4096, truncate=False))
        assert yc.from_config(yc.to_config(unrounded, "genai", config=plain), format="genai") == unrounded
        assert genai.VERSION == "0.18.0"


class TestTorchtitan:
    RUN = of("torchtitan")

    @pytest.mark.parametrize("record", [r for r in RUN if "error" not in r], ids=lambda r: r["name"])
    def test_it_computes_what_is_read(self, record):
        rope = yc.from_config(record["input"])
        assert_computes(rope, record)
        assert rope.interleaved is (record["layout"] == "interleaved")

    def test_the_class_that_has_no_llama_refuses_it(self):
        (record,) = [record for record in self.RUN if "error" in record]
        with pytest.raises(yc.ConfigError, match="CosSinRoPE refuses llama"):
            yc.from_config(record["input"])

    @pytest.mark.parametrize("record", [
        r for r in of("pytorch/torchtitan", "engines") if not r["transcribed"]
    ], ids=lambda r: r["name"])  # fmt: skip
    def test_the_later_code_with_the_factor_of_its_models(self, record):
        rope = yc.from_config({"ComplexRoPE.Config": record["config"]})
        assert_computes(rope, record, m="amplitude")
        assert rope.at().softmax_scale_factor == pytest.approx(record["softmax_scale_factor"], rel=1e-6)

    @pytest.mark.parametrize("scaling", [
        None, yc.Llama3(8.0, 8192), yc.YaRN(32.0, 4096, truncate=False, mscale=1.0, mscale_all_dim=1.0, softmax_mscale=1.0),
        yc.YaRN(40.0, 4096, mscale=0.707, mscale_all_dim=0.707, softmax_mscale=0.707),
    ], ids=repr)  # fmt: skip
    def test_what_is_written_is_read_back(self, scaling):
        rope = yc.Rope(64, 1e4, scaling, interleaved=True)
        assert yc.from_config(json.loads(json.dumps(yc.to_config(rope, "torchtitan")))) == rope

    def test_a_temperature_on_cos_and_sin_is_refused_with_its_size(self):
        with pytest.raises(yc.ConfigError, match=r"attention_factor 1 in place of 1\.13863"):
            yc.to_config(yc.Rope(64, 1e4, yc.YaRN(4.0, 4096)), "torchtitan")


class TestMegatron:
    @pytest.mark.parametrize("record", [
        r for r in of("NVIDIA/Megatron-LM", "engines") if "--multi-latent-attention" in str(r["config"]["flags"])
        and "Kimi" not in r["name"]  # whose betas of 1 have no flag in the record
    ], ids=lambda r: r["name"])  # fmt: skip
    def test_flags_of_latent_attention(self, record):
        rope = yc.from_config(" ".join(record["config"]["flags"]), format="megatron")
        assert_computes(rope, record, m="amplitude")
        assert rope.at().softmax_scale_factor == pytest.approx(record["softmax_scale_factor"], rel=1e-6)

    @pytest.mark.parametrize("record", [
        r for r in of("Megatron-Core") if "scaling_factor" in r["input"] and "error" not in r
    ], ids=lambda r: r["name"])  # fmt: skip
    def test_fields_of_yarn_in_a_gpt(self, record):
        named = {
            "scaling_factor": "yarn_rotary_scaling_factor", "original_max_position_embeddings": "yarn_original_max_position_embeddings",
            "mscale": "yarn_mscale", "mscale_all_dim": "yarn_mscale_all_dim", "beta_fast": "yarn_beta_fast",
            "beta_slow": "yarn_beta_slow", "correction_range_round_to_int": "yarn_correction_range_round_to_int",
            "seq_len_interpolation_factor": "rotary_seq_len_interpolation_factor",
        }  # fmt: skip
        given = {named.get(key, key): value for key, value in record["input"].items()}
        defaults = (
            {} if "mscale" in record["input"] else {"yarn_mscale": 1.0, "yarn_mscale_all_dim": 0.0}
        )  # of the class
        assert_computes(yc.from_config({"position_embedding_type": "yarn", **defaults, **given}), record)

    @pytest.mark.parametrize(
        "record",
        [
            r
            for r in of("Megatron-Core")
            if "rope_scaling" in r["input"] or ("rotary_percent" in r["input"] and "scaling_factor" not in r["input"])
        ],
        ids=lambda r: r["name"],
    )
    def test_plain_linear_and_llama3(self, record):
        flags = {
            "kv_channels": "--kv-channels", "rotary_percent": "--rotary-percent", "rotary_base": "--rotary-base",
            "rope_scaling_factor": "--rope-scaling-factor", "seq_len_interpolation_factor": "--rotary-seq-len-interpolation-factor",
        }  # fmt: skip
        line = ["--position-embedding-type", "rope"]
        line += ["--use-rope-scaling"] if record["input"].get("rope_scaling") else []
        for key, flag in flags.items():
            line += [flag, str(record["input"][key])] if key in record["input"] else []
        assert_computes(yc.from_config(line), record)

    def test_the_factor_of_yarn_in_a_gpt_has_no_flag_and_both_directions_say_so(self):
        with pytest.raises(yc.ConfigError, match="no flag in Megatron-Core"):
            yc.from_config(
                "--position-embedding-type yarn --kv-channels 128 --yarn-original-max-position-embeddings 32768"
            )
        with pytest.raises(
            yc.ConfigError, match="set yarn_rotary_scaling_factor=4, yarn_original_max_position_embeddings=32768"
        ):
            yc.to_config(yc.Rope(128, 1e6, yc.YaRN(4.0, 32768)), "megatron")

    @pytest.mark.parametrize("rope", [
        yc.Rope(128, 5e5), yc.Rope(128, 5e5, yc.Llama3(8.0, 8192)), yc.Rope(128, 1e4, yc.PositionInterpolation(4.0), 64, True),
        yc.Rope(64, 1e4, yc.YaRN(40.0, 4096, mscale=1.0, mscale_all_dim=1.0, softmax_mscale=1.0)),
    ], ids=repr)  # fmt: skip
    def test_what_is_written_is_read_back(self, rope):
        assert yc.from_config(yc.to_config(rope, "megatron"), format="megatron") == rope

    @pytest.mark.parametrize(("rope", "words"), [
        (yc.Rope(128, 5e5, yc.Llama3(8.0, 4096)), r"pair \d+ turns"),
        (yc.Rope(128, 5e5, yc.DynamicNTK(4096, 2.0)), "yarn, llama3 and linear; DynamicNTK"),
    ], ids=str)  # fmt: skip
    def test_what_it_cannot_express(self, rope, words):
        with pytest.raises(yc.ConfigError, match=words):
            yc.to_config(rope, "megatron")
