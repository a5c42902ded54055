"""What llama.cpp's rotary operator did in each layer of tiny models of many architectures, and what is read from their files."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from llama_cpp_architecture_cases import ARCHITECTURE_CASES, PLAIN

import yarncore as yc
from yarncore.configs.gguf.architectures import ARCHITECTURES
from yarncore.rope.sections import section_of_pairs

(RECORD,) = [
    json.loads(path.read_text()) for path in (Path(__file__).parent / "records").glob("gguf-architectures-*.json")
]
RUN = [one for one in RECORD["records"] if "error" not in one]
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
# What llama.cpp computes, and no scaling says.
REFUSED = {"gemma3: yarn, the key attn_factor": "on layers that it does not scale"}


def read(one):
    values = one["file"]["gguf"] | one["grown"]
    flags = shlex.split(one["file"]["flags"])
    return yc.ropes_from_config(["llama-server", *flags], config=values) if flags else yc.ropes_from_config(values)


def assert_turns(rope, found, n_ctx):
    if found is None:
        assert rope is None
        return
    rotation = rope.at(n_ctx if isinstance(rope.scaling, yc.LongRoPE) else None)
    ours, theirs = np.array(rotation.inverse_frequencies), np.array(found["inv_freq"])
    still = []
    if found["mode"] == "imrope":  # pairs that cannot be dealt out stand still there, which is a finding here
        counts = found["sections"]
        still = [pair for pair in range(len(theirs)) if pair >= 3 * counts[pair % 3]]
        np.testing.assert_allclose(theirs[still], 0, atol=1e-12)
        ours[still] = 0
    # ggml multiplies one frequency by another pair after pair, in float32
    np.testing.assert_allclose(ours, theirs, rtol=6e-6, atol=1e-12)
    assert rotation.attention_factor == pytest.approx(found["m"], rel=1e-6)
    assert rope.interleaved is (found["layout"] == "interleaved")
    assert rope.sections == (tuple(found["sections"][:3]) if "sections" in found else None)
    if rope.sections is not None:
        ours = "".join("thw"[section] for section in section_of_pairs(rope.sections, rope.section_order))
        left = {
            pair for pair, letter in enumerate(found["section"]) if letter == "e"
        }  # the fourth position is 0 in text
        assert all(letter == theirs for letter, theirs in zip(ours, found["section"], strict=True) if theirs != "e")
        assert left == set(still)
    assert rope.head_dim == found["head_dim"]


@pytest.mark.parametrize("one", RUN, ids=lambda one: one["name"])
def test_each_layer_is_read_as_llama_cpp_ran_it(one):
    if one["name"] in REFUSED:
        with pytest.raises(yc.ConfigError, match=REFUSED[one["name"]]):
            read(one)
        return
    ropes = read(one)
    different, which = one["layers"]["different"], one["layers"]["which"]
    assert len(ropes.layers) == len(which)
    for rope, number in zip(ropes.layers, which, strict=True):
        assert_turns(rope, different[number], one["file"]["n_ctx"])
    if "k" in one:
        (rope,) = set(ropes.layers)
        assert rope.at().softmax_scale_factor == pytest.approx(one["k"], rel=1e-6)


STOPS = ("llama4: a window of 0",)


@pytest.mark.parametrize("one", [one for one in RECORD["records"] if one["name"] in STOPS], ids=lambda one: one["name"])
def test_where_llama_cpp_stops_a_file_is_refused(one):
    assert "error" in one
    with pytest.raises(yc.ConfigError, match="stops at such a model without windows"):
        yc.ropes_from_config(one["file"]["gguf"])


def test_what_was_run_is_said_to_be_run():
    """phi3 is in the record of settings (test_llama_cpp_records.py)."""
    ran = {one["name"].removesuffix(": plain") for one in RUN if one["name"].endswith(": plain")} | {"phi3"}
    assert {name for name, one in ARCHITECTURES.items() if one.evidence.kind == "run"} == ran
    asked = {*PLAIN, "phi3", "eurobert", "gemma-embedding", "llama-embed", "neo-bert"}  # the last four make embeddings
    assert {name for name, one in ARCHITECTURES.items() if one.interleaved is not None} == asked


def test_the_record_is_of_the_cases_as_they_are():
    assert {one["name"]: one["file"] for one in RECORD["records"]} == ARCHITECTURE_CASES
