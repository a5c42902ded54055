"""Configurations that are wrong. Each error is a ConfigError that names file, key and what is accepted."""

import json
import os
import re

import pytest

import yarncore as yc
from yarncore.configs.engines.engine import RopeKeys
from yarncore.configs.engines.examined import named

PLAIN = {
    "model_type": "llama",
    "hidden_size": 512,
    "num_attention_heads": 8,
    "rope_theta": 10000.0,
    "max_position_embeddings": 16384,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}


def with_yarn(**changes):
    return PLAIN | {"rope_scaling": {k: v for k, v in (YARN | changes).items() if v is not ...}}


def case(group, match, config, name=""):
    return pytest.param(match, config, id=f"{group}{'-' + name if name else ''}")


REJECTED = [
    case("two spellings", "rope_scaling is .* and rope_parameters is", PLAIN | {"rope_scaling": YARN, "rope_parameters": YARN | {"factor": 8.0}}),
    *(case("not an object", re.escape(f"config: rope_scaling is {v!r}"), PLAIN | {"rope_scaling": v}, repr(v)) for v in ("false", 4.0, [1], True)),
    *(case("not an object", f"config: rope_parameters is {v!r}", PLAIN | {"rope_parameters": v}, f"v5 {v!r}") for v in ("yarn", 1)),
    case("rope_type", "rope_type is 'yarn' and type is 'linear'", with_yarn(type="linear")),
    case("rope_type", 'did you mean "yarn"', with_yarn(rope_type="yarm"), "unknown"),
    case("rope_type", 'did you mean "yarn"', with_yarn(rope_type="YaRN"), "case"),
    case("rope_type", r"config: rope_scaling\.rope_type is 'quantum'; one of default, linear", with_yarn(rope_type="quantum"), "nothing near"),
    case("rope_type", "rope_type is missing", with_yarn(rope_type=...), "absent"),
    case("rope_type", "rope_type is 7", with_yarn(rope_type=7), "number"),
    case("missing", r"rope_scaling\.factor is missing", with_yarn(factor=...)),
    case("missing", "rope_theta is missing; model_type 'mystery' has no documented default", {k: v for k, v in PLAIN.items() if k != "rope_theta"} | {"model_type": "mystery"}, "theta"),
    case("missing", "there is no model_type either", {"hidden_size": 512, "num_attention_heads": 8}, "no model type"),
    case("missing", r"rope_parameters\.rope_theta is 5000 and config: rope_theta is 10000", PLAIN | {"rope_parameters": YARN | {"rope_theta": 5000}}, "two thetas"),
    case("missing", "max_position_embeddings is missing", {k: v for k, v in PLAIN.items() if k != "max_position_embeddings"} | {"model_type": "mystery", "rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "length"),
    case("value", r"config: rope_scaling\.factor is '4\.0' \(str\); a number >= 1", with_yarn(factor="4.0")),
    case("value", r"factor is True", with_yarn(factor=True), "bool"),
    case("value", r"factor is nan", with_yarn(factor=float("nan")), "nan"),
    case("value", r"factor is inf", with_yarn(factor=float("inf")), "inf"),
    case("value", r"factor is 0\.5; a finite number >= 1", with_yarn(factor=0.5), "below 1"),
    case("value", r"factor is \[4\]", with_yarn(factor=[4]), "list"),
    case("value", "original_max_position_embeddings is 4096.5", with_yarn(original_max_position_embeddings=4096.5), "fraction"),
    case("value", "original_max_position_embeddings is 0", with_yarn(original_max_position_embeddings=0), "zero"),
    case("value", "rope_theta is '10000'", PLAIN | {"rope_theta": "10000"}, "theta"),
    case("value", "rope_theta is 1;", PLAIN | {"rope_theta": 1}, "theta 1"),
    case("value", "rope_theta is inf", PLAIN | {"rope_theta": 1e999}, "theta inf"),
    case("value", "rope_theta", PLAIN | {"rope_theta": 10**400}, "theta huge"),
    case("value", "attention_factor is 0", with_yarn(attention_factor=0), "attention factor"),
    case("value", "truncate is 1", with_yarn(truncate=1), "truncate"),
    case("value", "beta_fast is 1 and beta_slow is 32", with_yarn(beta_fast=1, beta_slow=32), "betas"),
    case("value", "hidden_size is '512'", PLAIN | {"hidden_size": "512"}, "hidden size"),
    case("value", r"config: max_position_embeddings is 1152921504606846976; a number of tokens >= 1 and < 2\^53", PLAIN | {"max_position_embeddings": 2**60}, "length huge"),
    case("value", r"config: num_attention_heads is 2\.5; a whole number", PLAIN | {"num_attention_heads": 2.5}, "heads"),
    case("not understood", r"config: rope_scaling\.attention_scale is not understood \(nor extrapolation\)", with_yarn(attention_scale=1.0, extrapolation=2)),
    case("not understood", "rope_scaling.beta_fast is not understood", PLAIN | {"rope_scaling": {"rope_type": "linear", "factor": 2.0, "beta_fast": 32}}, "of another method"),
    case("not understood", "config: rope_magic is not understood", PLAIN | {"rope_magic": 2.0}, "top level"),
    case("not understood", "config: use_yarn is not understood", PLAIN | {"use_yarn": True}, "top level yarn"),
    case("not understood", "alpha is 2.0; no alpha", PLAIN | {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0, "alpha": 2.0}}, "alpha"),
    case("lengths", "original_max_position_embeddings is 32768 and max_position_embeddings is 16384", with_yarn(original_max_position_embeddings=32768)),
    case("lengths", "they must agree", with_yarn() | {"original_max_position_embeddings": 2048}, "two lengths"),
    *(case("dims", "partial_rotary_factor", PLAIN | {"partial_rotary_factor": v}, repr(v)) for v in (0, 1.5, -0.5, "0.5", 0.01, True)),
    case("dims", "makes rotary_dim 15 of head_dim 64", PLAIN | {"partial_rotary_factor": 0.235}, "odd"),
    case("dims", "rotary_dim is 16, which model_type 'llama' is not known to read, and what was read makes rotary_dim 32; they must agree", PLAIN | {"partial_rotary_factor": 0.5, "rotary_dim": 16}, "disagree"),
    case("dims", "hidden_size is 500 and num_attention_heads 8", PLAIN | {"hidden_size": 500}, "head_dim"),
    case("dims", "head_dim is 63", PLAIN | {"head_dim": 63}, "odd head_dim"),
    case("dims", "head_dim is 64.5", PLAIN | {"head_dim": 64.5}, "fraction"),
    case("dims", "head_dim is missing", {"model_type": "mystery", "rope_theta": 1e4}, "no head_dim"),
    case("layer types", "choose a layer_type", PLAIN | {"rope_parameters": {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}}),
    case("layer types", "layer_types names 'linear_attention'", PLAIN | {"layer_types": ["full_attention", "linear_attention"], "rope_parameters": {"full_attention": {"rope_theta": 1e6}}}, "no dict"),
    case("layer types", "layer_types is 3", PLAIN | {"layer_types": 3}, "layer types"),
    case("layer types", r"rope_parameters\.full_attention\.factor is '8'", PLAIN | {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": "8", "rope_theta": 1e6}}}, "path"),
    case("layer types", r"config: text_config\.rope_scaling\.factor is '4'", {"text_config": with_yarn(factor="4")}, "nested path"),
    case("longrope", r"long_factor has 3 entries; rotary_dim / 2 = 32", PLAIN | {"rope_scaling": {"type": "longrope", "short_factor": [1.0] * 32, "long_factor": [1.0] * 3}}),
    case("longrope", r"short_factor\[1\] is 0", PLAIN | {"rope_scaling": {"type": "longrope", "short_factor": [1.0, 0] * 16, "long_factor": [1.0] * 32}}, "zero"),
    case("longrope", r"long_factor is missing", PLAIN | {"rope_scaling": {"type": "su", "short_factor": [1.0] * 32}}, "missing"),
    case("longrope", r"short_mscale is 1.1 and long_mscale 1.2", PLAIN | {"rope_scaling": {"type": "longrope", "short_factor": [1.0] * 32, "long_factor": [1.0] * 32, "short_mscale": 1.1, "long_mscale": 1.2, "original_max_position_embeddings": 4096}}, "mscale"),
    case("llama3", "low_freq_factor is missing", PLAIN | {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 4096}}),
    case("llama3", "low_freq_factor is 4 and high_freq_factor 1", PLAIN | {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 1.0, "original_max_position_embeddings": 4096}}, "order"),
    case("mrope", "mrope_section is", PLAIN | {"model_type": "qwen2_vl", "rope_scaling": {"type": "mrope", "mrope_section": [16, 24]}}),
    case("mrope", "the order that this model type gives them is not known", PLAIN | {"rope_scaling": {"type": "mrope", "mrope_section": [8, 12, 12]}}, "order"),
    case("no_rope", "no_rope_layers", PLAIN | {"model_type": "smollm3", "num_hidden_layers": 3, "no_rope_layers": [1, 0]}),
    case("nothing", "not recognised", {"a": 1}),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
@pytest.mark.parametrize(("match", "config"), REJECTED)
def test_rejected(match, config):
    with pytest.raises(yc.ConfigError, match=match):
        yc.from_config(config)


def write(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("content", [
    b"", b"null", b"[]", b'"text"', b"3", b"{", b'{"a": 1,}', b'{"a": 1} x', b"\xff\xfe\x00", b'{"a": "\xff"}', b"[" * 100_000,
    b'{"a":' * 100_000, b'{"rope_theta": 1, "rope_theta": 2}', b'{"rope_scaling": {"factor": 4, "factor": 8}}', b'{"a": ' + b"9" * 5000 + b"}",
    b"model_type: llama",
], ids=range(16))  # fmt: skip
def test_files_that_hold_no_configuration(content, tmp_path):
    path = write(tmp_path, content)
    with pytest.raises(yc.ConfigError, match=r"config\.json"):
        yc.from_config(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_of_json_are_read(encoding, tmp_path):
    path = write(tmp_path, json.dumps(PLAIN).encode(encoding))
    assert yc.from_config(path) == yc.Rope(64)


def test_every_truncation_is_an_error(tmp_path):
    whole = json.dumps(with_yarn()).encode()
    for length in range(len(whole)):
        with pytest.raises(yc.ConfigError):
            yc.from_config(write(tmp_path, whole[:length]))


def test_paths_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(FileNotFoundError):
        yc.from_config(tmp_path / "missing.json")
    with pytest.raises(yc.ConfigError, match=r"no config\.json"):
        yc.from_config(tmp_path)
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        yc.from_config(link)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="loop"):
        yc.from_config(loop)
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    for special in (pipe, "/dev/zero"):
        with pytest.raises(yc.ConfigError, match="not a regular file"):
            yc.from_config(special)
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(yc.ConfigError, match="at most"):
        yc.from_config(large)
    for suffix in (".yaml", ".toml", ".pkl", ".py"):
        other = tmp_path / f"config{suffix}"
        other.write_text("rope_theta: 10000")
        with pytest.raises(yc.ConfigError, match=f"{suffix} files are not read"):
            yc.from_config(other)
    with pytest.raises(yc.ConfigError, match="NUL"):
        yc.from_config("a\0b")


@pytest.mark.parametrize(
    "source", ["Qwen/Qwen2.5-7B", "https://huggingface.co/a/b/resolve/main/config.json", "hf://a/b"]
)
def test_names_of_repositories_and_urls_are_not_found_and_the_words_say_what_is(source):
    with pytest.raises(
        FileNotFoundError, match=r"path of a config\.json, .* local cache alone, and nothing is downloaded"
    ) as caught:
        yc.from_config(source)
    assert caught.value.filename == source


def test_sources_that_are_none():
    for source in (None, 3, [PLAIN], object()):
        with pytest.raises(TypeError, match="source is"):
            yc.from_config(source)

    class Model:
        config = PLAIN

        def forward(self):
            """So that it looks like a model."""

    with pytest.raises(yc.ConfigError, match=r"model\.config"):
        yc.from_config(Model())
    with pytest.raises(ValueError, match="format is 'yaml'"):
        yc.from_config(PLAIN, format="yaml")


class TestDefinedResults:
    def test_both_spellings_that_agree(self):
        both = PLAIN | {"rope_scaling": YARN | {"type": "yarn"}, "rope_parameters": YARN | {"rope_theta": 10000.0}}
        assert yc.from_config(both) == yc.from_config(with_yarn())

    def test_null_and_empty_are_plain(self):
        for value in (None, {}):
            assert yc.from_config(PLAIN | {"rope_scaling": value}) == yc.Rope(64)
            assert yc.from_config(PLAIN | {"rope_parameters": value}) == yc.Rope(64)

    def test_type_alone_and_aliases(self):
        assert yc.from_config(with_yarn(rope_type=..., type="yarn")) == yc.from_config(with_yarn())
        assert yc.from_config(with_yarn(type="yarn")) == yc.from_config(with_yarn())
        assert yc.from_config(PLAIN | {"rope_scaling": {"type": "default"}}) == yc.Rope(64)
        lists = {"short_factor": [1.0] * 32, "long_factor": [2.0] * 32, "original_max_position_embeddings": 4096}
        su, longrope = (yc.from_config(PLAIN | {"rope_scaling": lists | {"type": kind}}) for kind in ("su", "longrope"))
        assert su == longrope

    def test_documented_defaults_say_which(self):
        without = {k: v for k, v in PLAIN.items() if k != "rope_theta"}
        with pytest.warns(yc.ConfigWarning, match="the default of model_type 'llama' is 10000"):
            assert yc.from_config(without) == yc.Rope(64)
        with pytest.warns(yc.ConfigWarning) as caught:
            yc.from_config(with_yarn(original_max_position_embeddings=...))
        assert any("transformers takes max_position_embeddings = 16384" in str(w.message) for w in caught)

    def test_lengths_and_head_dims_of_the_class_fill_in_for_those_of_the_file(self):
        """What LlamaConfig() itself has: 2048 tokens, 4096 elements in 32 heads."""
        without = {k: v for k, v in PLAIN.items() if k != "max_position_embeddings"}
        with pytest.warns(yc.ConfigWarning, match="max_position_embeddings is missing; that of its class is 2048"):
            rope = yc.from_config(without | {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}})
        assert rope == yc.Rope(64, scaling=yc.DynamicNTK(2048, 2.0))
        with pytest.warns(yc.ConfigWarning, match=r"head_dim is missing; .* class .* 4096 / 32 = 128"):
            assert yc.from_config({"model_type": "llama", "rope_theta": 1e4}) == yc.Rope(128)

    def test_whole_floats_are_lengths(self):
        assert yc.from_config(with_yarn(original_max_position_embeddings=4096.0)) == yc.from_config(with_yarn())

    def test_not_strict_warns(self):
        with pytest.warns(yc.ConfigWarning, match=r"rope_scaling\.attention_scale is not understood"):
            assert yc.from_config(with_yarn(attention_scale=1.0), strict=False) == yc.from_config(with_yarn())

    def test_lengths_that_do_not_fit_warn_with_all_numbers(self):
        with pytest.warns(yc.ConfigWarning, match=r"factor is 8 and .* 4096, but their product 32768 .* = 16384"):
            yc.from_config(with_yarn(factor=8.0))
        with pytest.warns(yc.ConfigWarning, match="is still 16384, the original length"):
            yc.from_config(with_yarn(original_max_position_embeddings=16384))

    def test_partial_factors_round_as_transformers_does(self):
        plain = PLAIN | {"model_type": "nemotron"}
        assert yc.from_config(plain | {"head_dim": 80, "partial_rotary_factor": 0.3}) == yc.Rope(80, rotary_dim=24)
        assert yc.from_config(PLAIN | {"head_dim": None}) == yc.Rope(64)
        assert yc.from_config(plain | {"partial_rotary_factor": 0.5, "rotary_dim": 32}) == yc.Rope(64, rotary_dim=32)

    def test_layer_types_that_agree_are_one(self):
        same = {"rope_theta": 1e6}
        nested = {k: v for k, v in PLAIN.items() if k != "rope_theta"} | {
            "rope_parameters": {"a": same, "b": dict(same)}
        }
        assert yc.from_config(nested) == yc.Rope(64, 1e6)


@pytest.mark.parametrize("count", [2**17, 2**52])
def test_more_layers_than_any_model_has_are_an_error_and_cost_nothing(count):
    with pytest.raises(yc.ConfigError, match=r"num_hidden_layers is .*at most 65536"):
        yc.ropes_from_config(PLAIN | {"num_hidden_layers": count})


@pytest.mark.parametrize(("config", "key"), [
    ({"model_type": "gemma3_text", "head_dim": 64, "rope_theta": 1e6}, "sliding_window_pattern"),
    ({"model_type": "smollm3", "head_dim": 64, "rope_theta": 1e6}, "no_rope_layer_interval"),
])  # fmt: skip
def test_a_period_longer_than_any_model_has_layers_is_an_error_and_costs_nothing(config, key):
    with pytest.raises(yc.ConfigError, match=rf"{key} is .*at most 65536"):
        yc.ropes_from_config(config | {key: 2**40})


@pytest.mark.parametrize("model_type", [["llama"], {"llama": 1}, 7, True], ids=repr)
@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
def test_a_model_type_that_is_no_word_is_one_that_nobody_knows(model_type):
    ropes = yc.ropes_from_config(PLAIN | {"model_type": model_type, "num_hidden_layers": 2, "num_key_value_heads": 8})
    assert ropes.one() == yc.Rope(64)
    assert ropes.evidence.kind == "none"


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 1e308, 10**400, "4"])
@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_the_length_that_an_engine_serves_is_no_product_with_what_is_no_factor(engine, factor):
    keys = RopeKeys({"rope_type": "linear", "factor": factor}, "config", "rope_parameters")
    assert named(engine).served(RopeKeys({}, "config", ""), {"": keys}, 4096).longest == 4096


def test_a_base_of_hundreds_of_digits_under_another_name_is_refused():
    file = {"model_type": "gpt_neox", "rotary_emb_base": 10000, "rope_theta": 10**400, "head_dim": 64}
    with pytest.raises(yc.ConfigError, match="rope_theta"):
        yc.from_config(file)
