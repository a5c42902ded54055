"""Command lines of vLLM and SGLang that were run on configurations, and what from_config reads from them."""

import json

import pytest
from golden_files import records

import yarncore as yc

pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
VLLM = [r for r in records("engines_executed") if r["engine"] == "vllm-project/vllm" and "hf_overrides" in r["input"]]
SGLANG = [r for r in records("engines_executed") if r["engine"] == "sgl-project/sglang" and "config_json" in r["input"]]
SHAPE = {"head_dim": 64, "hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 2}
# The configuration passes there with a warning at most, and the layer fails.
FAIL_LATER = {
    "vLLM: config, factor null": "factor is missing",
    "vLLM: config, factor a string": "factor is '4.0'",
    "vLLM: config, attention_factor a string of 1.0": "attention_factor is '1.0'",
    "vLLM: config, unknown rope_type": "'yarn2'; a type that vLLM knows",
    "vLLM: config, unknown key in rope_scaling": "bogus is not understood",
}
# Read in tests/engines/test_executed_goldens.py.
OTHER = {
    "vLLM: config, rotary_emb_base and rotary_pct at top level": "keys of GPT-NeoX in a file of Qwen3",
    "vLLM: config, longrope in config.json, L at top level": "lengths alone",
    "vLLM: config, longrope in config.json, L inside": "lengths alone",
}


def command(record):
    given = record["input"]
    environment = [f"{name}={value}" for name, value in (given["env"] or {}).items()]
    if record["engine"] == "vllm-project/vllm":
        words = ["vllm", "serve", "a/model"]
        words += [] if given["max_model_len"] is None else ["--max-model-len", str(given["max_model_len"])]
        words += [] if given["hf_overrides"] is None else ["--hf-overrides", json.dumps(given["hf_overrides"])]
    else:
        words = ["python", "-m", "sglang.launch_server", "--model-path", "a/model"]
        words += [] if given["context_length"] is None else ["--context-length", str(given["context_length"])]
        override = given["json_model_override_args"]
        words += [] if override is None else ["--json-model-override-args", json.dumps(override)]
    return [*environment, *words]


def config(record):
    return SHAPE | record["input"]["config_json"] | {"model_type": record["input"]["model_type"]}


def seen_by_get_rope(record):
    """Base and rope dict with which the engine makes its rotary embedding."""
    if record["engine"] == "vllm-project/vllm":
        rope = record["rope_parameters"]
        return rope.get("rope_theta", 10000.0), rope
    return record["base_for_get_rope"], record.get("rope_scaling_for_get_rope") or {}


def ran(found, name):
    return [
        r
        for r in found
        if "error" not in r and r["name"] not in FAIL_LATER and r["name"] not in OTHER and name in r["name"]
    ]


@pytest.mark.parametrize("record", [*ran(VLLM, ""), *ran(SGLANG, "")], ids=lambda r: r["name"])
def test_a_command_line_is_read_as_the_engine_read_it(record):
    ropes = yc.ropes_from_config(command(record), config=config(record))
    assert ropes.advertised_length == record.get("max_model_len", record.get("context_length"))
    base, rope = seen_by_get_rope(record)
    if "full_attention" in rope:
        rope, base = rope["full_attention"], rope["full_attention"]["rope_theta"]
    found = ropes["full_attention"]
    assert found.base == base
    kind = rope.get("rope_type", "default")
    expected = {
        "default": type(None), "yarn": yc.YaRN, "linear": yc.PositionInterpolation, "llama3": yc.Llama3,
        "dynamic": type(None) if record["engine"].startswith("vllm") else yc.NTKAware,
    }[kind]  # fmt: skip
    assert type(found.scaling) is expected
    if kind == "yarn":
        assert found.scaling.factor == rope["factor"]
        assert found.scaling.original_length == rope["original_max_position_embeddings"]
        assert found.scaling.attention_factor == rope.get("attention_factor")


@pytest.mark.parametrize("record", [r for r in [*VLLM, *SGLANG] if "error" in r], ids=lambda r: r["name"])
def test_where_an_engine_refuses_it_is_an_error(record):
    with pytest.raises(yc.ConfigError):
        yc.ropes_from_config(command(record), config=config(record))


@pytest.mark.parametrize("record", [r for r in VLLM if r["name"] in FAIL_LATER], ids=lambda r: r["name"])
def test_what_fails_in_the_layer_is_an_error_too(record):
    with pytest.raises(yc.ConfigError, match=FAIL_LATER[record["name"]]):
        yc.ropes_from_config(command(record), config=config(record))


QWEN3 = SHAPE | {"model_type": "qwen3", "rope_theta": 1000000, "max_position_embeddings": 40960}
PHI3 = SHAPE | {
    "model_type": "phi3",
    "rope_theta": 10000.0,
    "max_position_embeddings": 16384,
    "original_max_position_embeddings": 4096,
}
LONGROPE = {"rope_type": "longrope", "short_factor": [1.0] * 32, "long_factor": [2.0] * 32}


class TestTraps:
    @pytest.mark.parametrize(("line", "words"), [
        ("vllm serve m --hf-overrides '{\"rope_theta\": 5000000}'", "does not read a base beside"),
        ("vllm serve m --hf-overrides '{\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 32768}}'", "vLLM takes 10000"),
        ("sglang.launch_server --json-model-override-args '{\"rope_scaling\": null}'", "takes the base 10000"),
        ("sglang.launch_server --json-model-override-args '{\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 32768, \"attention_factor\": 1.0}}'", "attention_factor.*does not read it"),
        ("vllm serve m --hf-overrides '{\"rope_parameters\": {\"rope_type\": \"dynamic\", \"rope_theta\": 1e6, \"factor\": 4.0}}'", "plain RoPE"),
    ])  # fmt: skip
    def test_is_warned_of(self, line, words):
        with pytest.warns(yc.ConfigWarning, match=words):
            yc.ropes_from_config(line, config=QWEN3)

    def test_vllm_takes_one_list_of_longrope_for_every_length(self):
        for served, divisor in ((4096, 1.0), (4097, 2.0)):
            rope = yc.from_config(f"vllm serve m --max-model-len {served}", config=PHI3 | {"rope_scaling": LONGROPE})
            assert set(rope.scaling.short_factor) == set(rope.scaling.long_factor) == {divisor}
        ropes = yc.ropes_from_config("vllm serve m", config=PHI3 | {"rope_scaling": LONGROPE})
        assert ropes.advertised_length == 4096

    def test_deepseek_s_temperature_in_vllm_and_sglang(self):
        yarn = {
            "type": "yarn",
            "factor": 40,
            "original_max_position_embeddings": 4096,
            "mscale": 0.707,
            "mscale_all_dim": 0.0,
        }
        config = {
            "model_type": "deepseek_v3", "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "num_attention_heads": 8,
            "rope_theta": 10000.0, "max_position_embeddings": 163840, "rope_scaling": yarn,
        }  # fmt: skip
        for line in ("vllm serve m", "sglang.launch_server"):
            rotation = yc.from_config(line.split(), config=config).at()
            assert rotation.attention_factor == pytest.approx(1.26080382)
            assert rotation.softmax_scale_factor == 1
        assert yc.from_config(config).at().attention_factor == pytest.approx(
            1.3688879
        )  # transformers: 0 counts as absent

    @pytest.mark.parametrize("record", [
        r for r in records("engines_executed") if r["name"].startswith("vLLM: DeepseekV2Attention")
    ], ids=lambda r: r["name"])  # fmt: skip
    def test_vllm_s_own_layer_of_deepseek(self, record):
        given = record["input"]["config"]
        config = {"model_type": "deepseek_v2", "num_attention_heads": 2, "max_position_embeddings": 163840, **given}
        rotation = yc.from_config(["vllm", "serve", "m"], config=config).at()
        assert rotation.attention_factor == pytest.approx(record["m"], rel=1e-6)
        assert rotation.softmax_scale_factor == pytest.approx(record["k"], rel=1e-6)


class TestWriting:
    YARN = yc.Rope(64, 1e6, yc.YaRN(4.0, 32768))

    def test_vllm_s_override_has_the_base_and_the_length_inside(self):
        written = yc.to_config(self.YARN, "vllm", config=QWEN3)
        assert written[:3] == ["--max-model-len", "131072", "--hf-overrides"]
        override = json.loads(written[3])
        assert override["rope_parameters"]["rope_theta"] == 1e6
        assert override["max_position_embeddings"] == 131072
        ropes = yc.ropes_from_config(["vllm", "serve", "m", *written], config=QWEN3)
        assert (ropes.one(), ropes.advertised_length) == (self.YARN, 131072)

    def test_sglang_s_override_needs_no_variable(self):
        written = yc.to_config(self.YARN, "sglang", config=QWEN3)
        ropes = yc.ropes_from_config(written, config=QWEN3)
        assert (ropes.one(), ropes.advertised_length) == (self.YARN, 131072)

    @pytest.mark.parametrize("format", ["vllm", "sglang"])
    @pytest.mark.parametrize("scaling", [
        None, yc.PositionInterpolation(4.0), yc.NTKAware(4.0), yc.Llama3(8.0, 8192), yc.YaRN(2.0, 8192, truncate=False),
        yc.YaRN(4.0, 32768, mscale=0.707, mscale_all_dim=1.0),
    ], ids=repr)  # fmt: skip
    def test_what_is_written_is_read_back_by_the_engine_s_own_rules(self, format, scaling):
        rope = yc.Rope(64, 1e6, scaling)
        written = yc.to_config(rope, format, config=QWEN3)
        back = yc.from_config(written, config=QWEN3)
        assert back.at() == rope.at() or isinstance(scaling, yc.NTKAware)

    @pytest.mark.parametrize(
        ("format", "key"), [("vllm", "model_max_length"), ("vllm", "seq_length"), ("sglang", "seq_length")]
    )
    def test_other_lengths_of_the_model_are_overridden_too(self, format, key):
        """They go before max_position_embeddings, or are the least: the length would be refused."""
        config = QWEN3 | {key: 8192}
        written = yc.to_config(self.YARN, format, config=config)
        assert yc.ropes_from_config(written, config=config).advertised_length == 131072
        without = [word.replace(f'"{key}": 131072', '"x": 1') for word in written]
        with pytest.raises(yc.ConfigError, match="of a model of 8192"):
            yc.ropes_from_config(without, config=config)

    def test_a_window_that_is_disabled_is_what_vllm_serves(self):
        config = QWEN3 | {"sliding_window": 1024, "model_max_length": 8192}
        line = ["vllm", "serve", "m", "--disable-sliding-window"]
        assert yc.ropes_from_config(line, config=config).advertised_length == 1024
        assert yc.ropes_from_config(line, config=config | {"use_sliding_window": False}).advertised_length == 8192
        with pytest.warns(yc.ConfigWarning, match="within a larger one was not run"):
            yc.ropes_from_config(line, config={"model_type": "qwen3", "text_config": config, **config})

    def test_linear_scaling_is_written_with_the_length_that_vllm_multiplies(self):
        written = yc.to_config(yc.Rope(64, 1e6, yc.PositionInterpolation(4.0)), "vllm", config=QWEN3)
        assert json.loads(written[3])["max_position_embeddings"] == 40960
        assert yc.ropes_from_config(written, config=QWEN3).advertised_length == 163840

    @pytest.mark.parametrize(("format", "rope", "words"), [
        ("sglang", yc.Rope(64, 1e6, yc.YaRN(4.0, 32768, attention_factor=1.0)), "attention_factor 1.13863 in place of 1"),
        ("vllm", yc.Rope(64, 1e6, yc.DynamicNTK(40960, 4.0)), r"pair \d+ turns"),
        ("vllm", yc.Rope(64, 1e6, yc.DynamicYaRN(32768, max_factor=4.0)), "follows the length by itself"),
    ], ids=str)  # fmt: skip
    def test_what_an_engine_cannot_be_told(self, format, rope, words):
        with pytest.raises(yc.ConfigError, match=words):
            yc.to_config(rope, format, config=QWEN3)

    def test_a_factor_of_the_file_that_sglang_multiplies_by_is_taken_back(self):
        """DeepSeek-R1-0528-Qwen3-8B as published has attn_factor; an override is merged into its dict."""
        own = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768, "attn_factor": 0.8782}
        config = QWEN3 | {"rope_scaling": own, "max_position_embeddings": 131072}
        written = yc.to_config(self.YARN, "sglang", config=config)
        assert yc.from_config(written, config=config).at().attention_factor == self.YARN.at().attention_factor

    def test_another_version_is_unverified_and_older_flags_are_written_for_an_older_one(self):
        with pytest.warns(yc.ConfigWarning, match=r"vllm 0\.10\.2: unverified; 0\.33\.0 is the version that was run"):
            written = yc.to_config(self.YARN, "vllm@0.10.2", config=QWEN3)
        assert written[2] == "--rope-scaling"
        assert written[4:] == ["--rope-theta", "1000000"]
        with pytest.raises(yc.ConfigError, match=r"no such flag from 0\.11\.1 on"):
            yc.from_config(["vllm", "serve", "m", *written], config=QWEN3)

    def test_without_a_configuration_it_says_what_is_needed(self):
        with pytest.raises(yc.ConfigError, match="config is None"):
            yc.to_config(self.YARN, "vllm")
        with pytest.raises(yc.ConfigError, match="is neither a folder here nor in the local cache"):
            yc.from_config("vllm serve Qwen/Qwen3-8B --max-model-len 4096")

    def test_the_folder_that_is_named_is_read(self, tmp_path):
        (tmp_path / "config.json").write_text(json.dumps(QWEN3))
        assert yc.from_config(["vllm", "serve", str(tmp_path)]) == yc.Rope(64, 1e6)
        assert yc.from_config(["python", "-m", "sglang.launch_server", "--model-path", str(tmp_path)]) == yc.Rope(
            64, 1e6
        )
