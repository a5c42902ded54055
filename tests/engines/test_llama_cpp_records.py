"""What llama.cpp's rotary operator did with files and flags, and what is read from them."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from llama_cpp_cases import LLAMA_CPP_CASES

import yarncore as yc
from yarncore.configs.engines import llama_cpp
from yarncore.configs.engines.engine import NotRun, RopeKeys, Shape

(RECORD,) = [json.loads(path.read_text()) for path in (Path(__file__).parent / "records").glob("llama.cpp-[0-9]*.json")]
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
# What no scaling says, though llama.cpp computes it; and what llama.cpp refuses.
_BELOW_1 = r"rope\.scaling\.factor is 0\.5; a number >= 1"
REFUSED = {
    "qwen3: yarn, s = 1/2": _BELOW_1,
    "llama: yarn, s = 1/2": _BELOW_1,
    "mistral3: yarn, s = 1/2": _BELOW_1,
    "deepseek2: yarn, s = 1/2": _BELOW_1,
    "qwen3: yarn, a flag for ext_factor between": "mixes two ramps",
    "qwen3: yarn, flags for ext_factor 0 and attn_factor": r"attn_factor is 0\.5 without YaRN",
    "qwen3: linear, the key attn_factor": r"attn_factor is 0\.5 without YaRN",
    "deepseek2: yarn, the key attn_factor": "takes it twice",
    "deepseek2: yarn, the key yarn_log_multiplier 0.0707, --yarn-ext-factor 0": "multiplies the logits of this architecture all the same",
    "llama: rope_freqs and yarn": "ramp on the divided frequencies",
    "phi3: divisors, yarn by flags": "ramp on the divided frequencies",
    "qwen3: a type that it does not know": r"rope\.scaling\.type is 'dynamic'",
    "llama: yarn, half of a head turns": r"rope\.dimension_count is 32; 64, the length of a head",
}


def read(one):
    flags = shlex.split(one["file"]["flags"])
    values = one["file"]["gguf"]
    return yc.ropes_from_config(["llama-server", *flags], config=values) if flags else yc.ropes_from_config(values)


def assert_turns(rope, one, found):
    rotation = rope.at(one["file"]["n_ctx"] if isinstance(rope.scaling, yc.LongRoPE) else None)
    # ggml multiplies one frequency by another pair after pair, in float32
    np.testing.assert_allclose(rotation.inverse_frequencies, found["inv_freq"], rtol=6e-6)
    assert rotation.attention_factor == pytest.approx(found["m"], rel=1e-6)
    assert rope.interleaved is (found["layout"] == "interleaved")


@pytest.mark.parametrize("one", RECORD["records"], ids=lambda one: one["name"])
def test_a_file_with_flags_is_read_as_llama_cpp_ran_it(one):
    if one["name"] in REFUSED:
        with pytest.raises(yc.ConfigError, match=REFUSED[one["name"]]):
            read(one)
        return
    ropes = read(one)
    layers = [ropes[name] for name in ropes.layer_types]
    for rope, found in zip(layers, one.get("layers", [one] * len(layers)), strict=True):
        assert_turns(rope, one, found)
        if "k" in one:
            assert rope.at(one["file"]["n_ctx"]).softmax_scale_factor == pytest.approx(one["k"], rel=1e-6)
    assert ropes.advertised_length == one["n_ctx_train"][1]


def test_what_llama_cpp_refuses_is_refused_here():
    assert {one["name"] for one in RECORD["records"] if "error" in one} <= set(REFUSED)
    assert set(REFUSED) <= {one["name"] for one in RECORD["records"]}


def test_the_record_is_of_the_cases_as_they_are():
    assert {one["name"]: one["file"] for one in RECORD["records"]} == LLAMA_CPP_CASES


@pytest.mark.parametrize(
    ("model_type", "kind"), [("exaone4", "llama3"), ("smollm3", "llama3"), ("minicpm3", "longrope")]
)
def test_what_the_library_was_not_run_with_is_said_not_to_be_known(model_type, kind):
    keys = RopeKeys({"rope_type": kind, "factor": 8.0}, "config", "rope_parameters")
    with pytest.raises(NotRun, match="was not run"):
        llama_cpp.scaling(kind, keys, Shape(64, False, 16384, None, model_type))
