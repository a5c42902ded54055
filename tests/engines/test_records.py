"""Records that engines left when they were run are replayed: what is said of each is what it did."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import yarncore as yc
from yarncore.configs.engines.engine import RopeKeys, Shape
from yarncore.configs.engines.examined import ENGINES, TRANSFORMERS, by_engine, by_transformers, named

RECORDS = [json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "records").glob("*.json"))]
EACH = [
    pytest.param(record, one, id=f"{record['engine']}: {one['name']}")
    for record in RECORDS
    if record["engine"] not in ("llama.cpp", "gguf-architectures")  # in words of their own: test_llama_cpp_*.py
    for one in record["records"]
]
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")


def said(record, one):
    if record["engine"] == TRANSFORMERS:
        return said_of_transformers(record, one)
    engine = named(record["engine"].removesuffix("-converter"))
    keys = RopeKeys(one["rope"], "config", "rope_parameters")
    shape = Shape(record["dim"], False, record["max_position"], None, one.get("model_type", ""))
    return yc.Rope(record["dim"], record["base"], engine.scaling(engine.kind(keys), keys, shape))


def said_of_transformers(record, one):
    """What the doctor says first; where it says that the file fails, a ConfigError."""
    config = {
        "model_type": "llama", "head_dim": record["dim"], "num_attention_heads": 2,
        "max_position_embeddings": record["max_position"], "rope_parameters": {"rope_theta": record["base"], **one["rope"]},
    }  # fmt: skip
    examined, _ = by_transformers(config, "config")
    if examined.ropes is None:
        raise yc.ConfigError(*examined.findings)
    return examined.ropes["full_attention"]


def is_refused_here(record, one):
    """transformers takes the first of two types that disagree; here it is not guessed which was meant."""
    return record["engine"] == TRANSFORMERS and one["name"] == "yarn, types that disagree"


def is_reversed_yarn(record, one):
    """litgpt's, which no scaling says."""
    return record["engine"] == "litgpt" and one["rope"].get("rope_type", one["rope"].get("type")) == "yarn"


@pytest.mark.parametrize(("record", "one"), EACH)
def test_an_engine_did_what_is_said_of_it(record, one):
    if "error" in one or is_reversed_yarn(record, one) or is_refused_here(record, one):
        with pytest.raises(yc.ConfigError):
            said(record, one)
        return
    rotation = said(record, one).at(record["max_position"])
    np.testing.assert_allclose(rotation.inverse_frequencies, one["inv_freq"], rtol=1e-5)
    assert rotation.attention_factor == pytest.approx(one["m"], rel=1e-5)


@pytest.mark.parametrize(("record", "one"), [
    param for param in EACH if is_reversed_yarn(*param.values) and "error" not in param.values[1]
])  # fmt: skip
def test_the_ramp_of_litgpt_is_the_wrong_way_round(record, one):
    """Fast pairs divided by s, slow ones kept; bounds rounded whatever truncate says; a factor of mscale alone."""
    factor, plain = one["rope"]["factor"], yc.Rope(record["dim"], record["base"]).inverse_frequencies
    betas = {key: one["settings"][key] for key in ("beta_fast", "beta_slow")}
    yarn = yc.Rope(record["dim"], record["base"], yc.YaRN(factor, 4096, **betas)).inverse_frequencies
    np.testing.assert_allclose(plain + plain / factor - yarn, one["inv_freq"], rtol=1e-5)
    t = [1 + 0.1 * (one["rope"].get(key) or 0) * np.log(factor) for key in ("mscale", "mscale_all_dim")]
    both = one["rope"].get("mscale") and one["rope"].get("mscale_all_dim")
    assert one["m"] == pytest.approx(t[0] / t[1] if both else t[0] * t[1], rel=1e-5)


LENGTHS = [
    pytest.param(record["engine"], one, id=f"{record['engine']}: {name}")
    for record in RECORDS
    for name, one in record.get("lengths", {}).items()
]
LATENT = [
    pytest.param(record["engine"], one, id=f"{record['engine']}: {name}")
    for record in RECORDS
    for name, one in record.get("latent", {}).items()
]
COMMANDS = {
    "vllm": (["vllm", "serve", "a/model"], "--max-model-len"),
    "sglang": (["python", "-m", "sglang.launch_server", "--model-path", "a/model"], "--context-length"),
}
DEEPSEEK = {
    "model_type": "deepseek_v3", "num_attention_heads": 2, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "rope_theta": 1e4,
    "max_position_embeddings": 163840,
}  # fmt: skip


def command(engine, given):
    """What serves the same: a tokenizer_config.json, which changes nothing, has no flag."""
    words, asks = COMMANDS[engine]
    asked = [asks, str(given["asked"])] if "asked" in given else []
    flags = [f"--{flag.replace('_', '-')}" for flag in given.get("flags", ()) if engine == "vllm"]
    return [*words, *asked, *flags]


@pytest.mark.parametrize(("engine", "one"), LENGTHS)
def test_an_engine_served_what_is_said_of_its_command_line(engine, one):
    words, config = command(engine, one["given"]), one["given"]["config"]
    if "error" in one:
        with pytest.raises(yc.ConfigError, match=f"refuses to serve {one['given']['asked']} tokens"):
            yc.ropes_from_config(words, config=config, strict=False)
        return
    assert yc.ropes_from_config(words, config=config, strict=False).advertised_length == one["length"]


@pytest.mark.parametrize(("engine", "one"), [
    param for param in LENGTHS if not (param.values[0] == "vllm" and "flags" in param.values[1]["given"])
])  # fmt: skip
def test_an_engine_served_what_the_doctor_says_of_the_file(engine, one):
    config, asked = one["given"]["config"], one["given"].get("asked")
    _, meant = by_transformers(config, "config")
    found = by_engine(named(engine), config, "config", meant, asked)
    refused = any(f"{asked} tokens are asked for" in words for words in found.findings)
    if asked is None:
        assert found.served == one["length"]
    elif meant["full_attention"].scaling is None:  # else what else is wrong is told first
        assert refused == ("error" in one)


@pytest.mark.parametrize(("engine", "one"), LATENT)
def test_the_factors_of_latent_attention_are_those_that_are_said(engine, one):
    rotation = yc.from_config(
        COMMANDS[engine][0], config=DEEPSEEK | {"rope_scaling": one["given"]}, strict=False
    ).at()  # fmt: skip
    assert rotation.attention_factor == pytest.approx(one["m"], rel=1e-6)
    assert rotation.softmax_scale_factor == pytest.approx(one["k"], rel=1e-9)


def test_both_classes_of_torchtitan_have_the_same_frequencies():
    (record,) = [record for record in RECORDS if record["engine"] == "torchtitan"]
    for one in record["records"]:
        found = one.get("CosSinRoPE", 0)
        assert found == "NotImplementedError: Cos/sin RoPE does not support Llama scaling." or found < 1e-6


def test_each_record_tells_version_and_date():
    assert {record["engine"] for record in RECORDS} >= {
        "genai",
        "gguf-architectures",
        "keras-hub",
        "litgpt",
        "llama.cpp",
        "llama.cpp-converter",
        "megatron",
        "mlx-lm",
        "sglang",
        "torchtitan",
        "transformers",
        "vllm",
    }
    versions = {one.NAME: one.VERSION for one in ENGINES} | {TRANSFORMERS: by_transformers({}, "")[0].version}
    versions["llama.cpp"] = versions["llama.cpp-converter"] = versions["gguf-architectures"] = (
        "2026.10.11549"  # xllamacpp's, of build b11549: that of b11739 does not load everywhere
    )
    for record in RECORDS:
        assert next(iter(record["versions"].values())) == versions[record["engine"]]
        assert len(record["date"]) == 10


def test_the_page_says_of_each_recipe_what_its_record_says():
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
    rows = re.findall(r"^\| `(\S+)` \|.*\| (\S+) \| (\S+) \|$", page, re.MULTILINE)
    recorded = {(record["engine"], next(iter(record["versions"].values())), record["date"]) for record in RECORDS}
    assert len(rows) >= 8
    assert set(rows) <= recorded
