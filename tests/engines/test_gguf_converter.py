"""What llama.cpp's converter wrote for configurations of transformers is read as these are, layer by layer."""

import json
from dataclasses import replace

import numpy as np
import pytest
from gguf_converter import CASES, RESULT

import yarncore as yc

RECORD = json.loads(RESULT.read_text())
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
# The converter puts the rows of q and k in another order, so that neighbours are what halves were.
PERMUTED = {
    "Glm4vForConditionalGeneration", "Ministral3ForCausalLM", "MuseGlimmerForConditionalGeneration", "SmolLM3ForCausalLM",
}  # fmt: skip
# Whose words a file has no key for, or llama.cpp does not use.
OTHERWISE = {
    "GptOssForCausalLM": lambda name, rope: replace(rope, scaling=replace(rope.scaling, truncate=True)),
    "MellumForCausalLM": lambda name, rope: replace(rope, base=500_000.0),
}


@pytest.mark.parametrize("name", RECORD["records"])
def test_a_converted_file_is_read_as_the_configuration_is(name):
    one = RECORD["records"][name]
    meant, found = yc.ropes_from_config(one["config"]), yc.ropes_from_config(one["gguf"])
    assert len(meant.layers) == len(found.layers) > 7
    for layer_type, theirs, ours in zip(meant.layer_types, meant.layers, found.layers, strict=True):
        if theirs is None:
            assert ours is None
            continue
        wanted = OTHERWISE.get(name, lambda _, rope: rope)(layer_type, theirs)
        np.testing.assert_allclose(ours.at().inverse_frequencies, wanted.at().inverse_frequencies, rtol=1e-12)
        assert ours.at().attention_factor == pytest.approx(wanted.at().attention_factor, rel=1e-12)
        assert ours.at().softmax_scale_factor == pytest.approx(wanted.at().softmax_scale_factor, rel=1e-12)
        for same in ("head_dim", "rotary_dim", "rotary_start", "sections", "section_order", "query_scale"):
            assert getattr(ours, same) == getattr(wanted, same)
        assert (ours.interleaved is wanted.interleaved) is (name not in PERMUTED)
    assert found.query_scales == meant.query_scales


def test_what_llama_cpp_does_not_use_is_said():
    with pytest.warns(yc.ConfigWarning, match=r"mellum\.rope\.freq_base_swa is 10000: llama\.cpp does not use it"):
        yc.ropes_from_config(RECORD["records"]["MellumForCausalLM"]["gguf"])


def test_the_record_is_of_all_cases():
    assert set(RECORD["records"]) == set(CASES)
