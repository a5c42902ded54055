"""What is written for transformers: read back by us and computed by transformers itself, it is what was asked for."""

import copy
import json
import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import transformers
from golden_files import records
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

import yarncore as yc

EXAMPLES = Path(__file__).parents[2] / "examples" / "configs"
LENGTHS = st.sampled_from([512, 2048, 4096, 8192, 32768])
FACTORS = st.sampled_from([1.0, 1.5, 2.0, 4.0, 8.0, 40.0]) | st.floats(1.0, 100.0)
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")


def yarn_options():
    mscales = st.sampled_from([0.5, 0.707, 1.0, 1.2])
    betas = st.sampled_from([(32.0, 1.0), (32, 1), (64.0, 0.5), (1.0, 1.0), (4.0, 1.0)])
    temperature = (
        st.just({})
        | st.fixed_dictionaries({"attention_factor": st.sampled_from([1.0, 0.878, 1.3])})
        | st.fixed_dictionaries({"mscale": mscales, "mscale_all_dim": mscales})
    )
    return st.builds(
        lambda both, truncate, keys: {"beta_fast": both[0], "beta_slow": both[1], "truncate": truncate, **keys},
        betas, st.booleans(), temperature,
    )  # fmt: skip


def said_as_they_are():
    """Scalings that transformers has under a name of its own."""
    return st.one_of(
        st.none(),
        st.builds(yc.PositionInterpolation, FACTORS),
        st.builds(yc.DynamicNTK, LENGTHS, FACTORS),
        st.builds(lambda s, length, keys: yc.YaRN(s, length, **keys), FACTORS, LENGTHS, yarn_options()),
        st.builds(
            lambda s, length, low, width: yc.Llama3(s, length, low_freq_factor=low, high_freq_factor=low + width),
            FACTORS, LENGTHS, st.floats(0.1, 4.0), st.floats(0.5, 8.0),
        ),
    )  # fmt: skip


def ropes(scalings):
    dims = st.sampled_from([(128, 128), (64, 64), (96, 32), (80, 20), (64, 18)])
    bases = st.sampled_from([10_000.0, 500_000.0, 1e6])
    return st.builds(lambda dim, base, scaling: yc.Rope(dim[0], base, scaling, dim[1]), dims, bases, scalings)


@st.composite
def longrope(draw):
    dim = draw(st.sampled_from([32, 64, 96]))
    divisors = st.lists(st.floats(1.0, 60.0), min_size=dim // 2, max_size=dim // 2)
    scaling = yc.LongRoPE(
        short_factor=draw(divisors), long_factor=draw(divisors), original_length=4096, factor=draw(FACTORS),
        attention_factor=draw(st.sampled_from([None, 1.0, 1.19])),
    )  # fmt: skip
    return yc.Rope(dim, 1e4, scaling)


def theirs(keys, length=None):
    """What transformers' own functions make of keys: inverse frequencies and factor."""
    config = transformers.LlamaConfig(hidden_size=4096, num_attention_heads=32, **copy.deepcopy(keys))
    kind = config.rope_parameters["rope_type"]
    if kind == "default":
        module = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding
        frequencies, factor = module.compute_default_rope_parameters(config)
    else:
        frequencies, factor = ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=length)
    return frequencies.numpy(), float(factor)


def assert_transformers_computes(rope, keys, length=None):
    if rope.rotary_dim < rope.head_dim and keys["rope_parameters"]["rope_type"] == "default":
        return  # Llama's class has no part; the classes that have one are run in tests/models
    frequencies, factor = theirs(keys, length)
    ours = rope.at(length)
    # The ramp is rounded to float32 there, which counts s times where a pair is all but interpolated.
    float32 = 2e-6 + 1.2e-7 * keys["rope_parameters"].get("factor", 1.0)
    assert np.max(np.abs(frequencies / ours.inverse_frequencies - 1)) <= float32
    assert factor == pytest.approx(ours.attention_factor, rel=1e-6)


@given(ropes(said_as_they_are()))
@settings(max_examples=120, deadline=None)
def test_what_is_written_is_read_back_as_the_same_rope(rope):
    assert yc.from_config(json.loads(json.dumps(yc.to_config(rope)))) == rope


@given(longrope())
@settings(max_examples=25, deadline=None)
def test_longrope_with_both_lists_is_read_back_and_computed_by_transformers(rope):
    keys = yc.to_config(rope)
    assert yc.from_config(keys) == rope
    for length in (4096, 4097):
        assert_transformers_computes(rope, keys, length)


@given(ropes(said_as_they_are()))
@settings(max_examples=60, deadline=None)
def test_transformers_own_functions_compute_what_was_written(rope):
    assert_transformers_computes(rope, yc.to_config(rope), 100_000 if isinstance(rope.scaling, yc.DynamicNTK) else None)


@pytest.mark.parametrize("scaling", [
    yc.NTKAware(4.0),
    yc.NTKByParts(16.0, 4096),
    yc.NTKByParts(32.0, 4096, truncate=False),
    yc.YaRN(40.0, 4096, mscale=0.707, mscale_all_dim=0.0),
    yc.YaRN(40.0, 4096, mscale=0.0, mscale_all_dim=1.0),
    yc.Proportional(0.25),
    yc.Proportional(0.5, 8.0),
], ids=repr)  # fmt: skip
def test_what_has_no_name_of_its_own_there_is_written_in_other_words_with_the_same_numbers(scaling):
    rope = yc.Rope(128, 1e6, scaling)
    keys = yc.to_config(rope)
    back = yc.from_config(keys).at()
    np.testing.assert_allclose(back.inverse_frequencies, rope.inverse_frequencies, rtol=1e-14, atol=0)
    assert back.attention_factor == rope.at().attention_factor
    if not isinstance(scaling, yc.Proportional):
        assert_transformers_computes(rope, keys)


class TestRefusals:
    @pytest.mark.parametrize(("rope", "words"), [
        (yc.Rope(64, interleaved=True), r"interleaved False in place of True.*give the model's configuration"),
        (yc.Rope(64, sections=(8, 12, 12)), r"sections None in place of \(8, 12, 12\)"),
        (yc.Rope(128, 1e4, yc.YaRN(16, 4096, ramp="rotations")), r"ramp='rotations'.*pair 38 turns 3\.04\d* times as fast"),
        (yc.Rope(64, 1e4, yc.DynamicYaRN(4096, max_factor=8)), r"follows the length by itself.* at 4096 tokens"),
        (yc.Rope(64, 1e4, yc.DynamicYaRN(4096)), r"without end; length="),
        (yc.Rope(64, 1e4, yc.DynamicPositionInterpolation(4096)), r"without end; length="),
        (yc.Rope(64, 1e4, yc.YaRN(40, 4096, softmax_mscale=1.0)), r"softmax_scale_factor 1 in place of 1\.8738"),
        (yc.Rope(8, 1e300, yc.NTKAware(1e300)), "no float64"),
    ], ids=lambda value: None if isinstance(value, str) else repr(value))  # fmt: skip
    def test_what_transformers_cannot_express_is_named_with_its_size(self, rope, words):
        with pytest.raises(yc.ConfigError, match=words):
            yc.to_config(rope)

    def test_another_layout_is_not_written_even_on_request(self):
        with pytest.raises(yc.ConfigError, match="interleaved"):
            yc.to_config(yc.Rope(64, interleaved=True), approximate=True)

    def test_the_nearest_is_written_on_request_and_the_warning_says_by_how_much_it_differs(self):
        rope = yc.Rope(128, 1e4, yc.DynamicYaRN(4096, steps="doubling"))
        with pytest.warns(yc.ConfigWarning, match=r"pair 46 turns 0\.125 times as fast.*at 4096 tokens"):
            keys = yc.to_config(rope, length=32768, approximate=True)
        assert yc.from_config(keys) == yc.Rope(128, 1e4, yc.YaRN(8.0, 4096))
        assert keys["max_position_embeddings"] == 32768
        interpolation = yc.to_config(
            yc.Rope(64, 1e4, yc.DynamicPositionInterpolation(4096)), length=8192, approximate=True
        )
        assert yc.from_config(interpolation).scaling == yc.PositionInterpolation(2.0)

    def test_the_dynamic_method_counts_from_max_position_embeddings_so_no_other_length_can_stand_there(self):
        rope = yc.Rope(64, 1e4, yc.DynamicNTK(4096, 2.0))
        assert yc.to_config(rope)["max_position_embeddings"] == 4096
        with pytest.raises(yc.ConfigError, match="cannot be 8192"):
            yc.to_config(rope, length=8192)

    @pytest.mark.parametrize(("call", "error", "words"), [
        (lambda: yc.to_config("llama"), TypeError, "rope is str; a Rope, or a mapping"),
        (lambda: yc.to_config({"full_attention": 1}), TypeError, "rope holds other values"),
        (lambda: yc.to_config(yc.Rope(64), "yaml"), ValueError, "format is 'yaml'; one of gguf, llama"),
        (lambda: yc.to_config(yc.Rope(64), length=0), ValueError, "length is 0"),
        (lambda: yc.to_config(yc.Rope(64), approximate=1), TypeError, "approximate is 1"),
        (lambda: yc.to_config({}), yc.ConfigError, "0 rotary embeddings"),
        (lambda: yc.to_config({"a": yc.Rope(64), "b": yc.Rope(32)}), yc.ConfigError, "2 rotary embeddings.*config="),
        (lambda: yc.to_config({"global": yc.Rope(64)}, config=LLAMA), yc.ConfigError, "names the layer type 'global'"),
        (lambda: yc.to_config({"full_attention": None}, config=LLAMA), yc.ConfigError, "a rotation where none is wanted"),
        (lambda: yc.to_config(yc.Rope(32), config=LLAMA), yc.ConfigError, "head_dim 64 in place of 32"),
    ], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
    def test_wrong_arguments(self, call, error, words):
        with pytest.raises(error, match=words):
            call()


LLAMA = {
    "model_type": "llama", "hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 2, "rope_theta": 10000.0,
    "max_position_embeddings": 4096, "vocab_size": 99,
}  # fmt: skip


class TestWholeConfigurations:
    def test_only_the_keys_of_the_rotation_change_and_the_given_one_is_untouched(self):
        given = copy.deepcopy(LLAMA)
        written = yc.to_config(yc.Rope(64, 1e4, yc.YaRN(4, 4096)), config=given)
        assert given == LLAMA
        assert {
            key: value for key, value in written.items() if key not in ("rope_parameters", "max_position_embeddings")
        } == {key: value for key, value in LLAMA.items() if key != "max_position_embeddings"}
        assert written["max_position_embeddings"] == 16384

    @pytest.mark.parametrize("record", records("hf"), ids=lambda r: r["name"])
    def test_a_configuration_written_with_its_own_ropes_is_the_same_model_to_us_and_to_transformers(self, record):
        config = record["config"]
        before = yc.ropes_from_config(config)
        written = json.loads(json.dumps(yc.to_config(before, config=config)))
        assert dict(yc.ropes_from_config(written)) == dict(before)
        given = {key: value for key, value in written.items() if key != "model_type"}
        again = yc.ropes_from_config(getattr(transformers, record["config_class"])(**given), strict=False)
        for name, rope in before.items():
            if name in again:
                assert again[name] == rope

    @pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
    def test_scaling_is_taken_away_and_put_back(self, path):
        config = json.loads(path.read_text())
        rope = yc.from_config(config)
        plain = yc.Rope(rope.head_dim, rope.base, None, rope.rotary_dim, rope.interleaved)
        without = yc.to_config(plain, config=config)
        assert yc.from_config(without) == plain
        assert yc.from_config(yc.to_config(rope, config=without)) == rope

    def test_a_transformers_object_and_a_path_are_taken_too(self, tmp_path):
        rope = yc.Rope(64, 1e4, yc.YaRN(4, 4096))
        written = yc.to_config(rope, config=transformers.LlamaConfig(**LLAMA))
        assert yc.from_config(transformers.LlamaConfig(**written)) == rope
        (tmp_path / "config.json").write_text(json.dumps(LLAMA))
        assert yc.from_config(yc.to_config(rope, config=tmp_path)) == rope

    @pytest.mark.parametrize("record", records("published"), ids=lambda r: r["name"])
    def test_a_released_model_s_file_is_written_with_its_own_ropes(self, record):
        try:
            before = yc.ropes_from_config(record["config"])
        except yc.ConfigError:
            return  # two are refused by name (test_published_configs.py)
        after = yc.ropes_from_config(yc.to_config(before, config=record["config"]))
        assert after.keys() == before.keys()
        for name, rope in before.items():
            if rope is None or isinstance(rope.scaling, yc.NTKAware):  # which is a larger base there
                assert (after[name] is None) == (rope is None)
            else:
                assert after[name].at(5000) == rope.at(5000)

    def test_a_model_that_never_rotates_stays_as_it_is(self):
        config = {"model_type": "nemotron_h", "hidden_size": 512, "num_attention_heads": 8}
        assert yc.to_config(yc.ropes_from_config(config), config=config) == config
        with pytest.raises(yc.ConfigError, match="never rotates"):
            yc.to_config(yc.ropes_from_config(config), "vllm", config=config)

    def test_phi_3_has_its_original_length_beside_the_dict_where_its_class_looks_first(self):
        config = {
            "model_type": "phi3",
            "hidden_size": 96 * 4,
            "num_attention_heads": 4,
            "max_position_embeddings": 131072,
        }
        rope = yc.Rope(
            96, 1e4, yc.LongRoPE(short_factor=[1.0] * 48, long_factor=[2.0] * 48, original_length=8192, factor=16.0)
        )
        written = yc.to_config(rope, config=config)
        assert written["original_max_position_embeddings"] == 8192
        assert yc.from_config(transformers.Phi3Config(**written), strict=False) == rope

    def test_linear_scaling_of_a_plain_model_multiplies_its_length_and_a_second_time_says_that_it_does_not(self):
        written = yc.to_config(yc.Rope(64, 1e4, yc.PositionInterpolation(4.0)), config=LLAMA)
        assert written["max_position_embeddings"] == 16384
        with pytest.warns(yc.ConfigWarning, match="max_position_embeddings stays 16384"):
            again = yc.to_config(yc.Rope(64, 1e4, yc.PositionInterpolation(2.0)), config=written)
        assert again["max_position_embeddings"] == 16384
        assert yc.to_config(yc.Rope(64, 1e4), config=written, length=4096)["max_position_embeddings"] == 4096


class TestLayerTypes:
    GEMMA: ClassVar = {
        "model_type": "gemma3",
        "text_config": {
            "model_type": "gemma3_text", "rope_theta": 1e6, "rope_local_base_freq": 1e4, "head_dim": 256, "hidden_size": 1024,
            "num_attention_heads": 4, "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "max_position_embeddings": 131072,
        },
    }  # fmt: skip

    def test_one_of_several_is_changed_and_transformers_reads_both(self):
        full = yc.Rope(256, 1e6, yc.YaRN(8, 32768))
        written = yc.to_config({"full_attention": full}, config=self.GEMMA)
        assert dict(yc.ropes_from_config(written)) == {"full_attention": full, "sliding_attention": yc.Rope(256, 1e4)}
        config = transformers.Gemma3TextConfig(**written["text_config"])
        frequencies, factor = ROPE_INIT_FUNCTIONS["yarn"](config, "cpu", layer_type="full_attention")
        np.testing.assert_allclose(frequencies.numpy(), full.inverse_frequencies, rtol=2e-6)
        assert factor == pytest.approx(full.at().attention_factor)
        assert config.rope_parameters["sliding_attention"]["rope_theta"] == 1e4

    def test_the_unrounded_ramp_of_one_layer_type_is_computed_by_transformers_too(self):
        """transformers looks for truncate beside the dicts; there it stands as well."""
        full = yc.Rope(256, 1e6, yc.YaRN(8, 32768, truncate=False))
        written = yc.to_config({"full_attention": full}, config=self.GEMMA)
        assert yc.from_config(written, layer_type="full_attention") == full
        config = transformers.Gemma3TextConfig(**written["text_config"])
        frequencies, _ = ROPE_INIT_FUNCTIONS["yarn"](config, "cpu", layer_type="full_attention")
        np.testing.assert_allclose(frequencies.numpy(), full.inverse_frequencies, rtol=2e-6)

    def test_a_ramp_rounded_here_and_unrounded_there_cannot_be_said(self):
        ropes = {
            "full_attention": yc.Rope(256, 1e6, yc.YaRN(8, 32768, truncate=False)),
            "sliding_attention": yc.Rope(256, 1e4, yc.YaRN(8, 32768)),
        }
        with pytest.raises(yc.ConfigError, match="truncate=False for some layer types"):
            yc.to_config(ropes, config=self.GEMMA)

    def test_one_rope_for_a_model_that_has_several_is_refused_with_the_list(self):
        with pytest.raises(yc.ConfigError, match="several rotary embeddings"):
            yc.to_config(yc.Rope(256, 1e6), config=self.GEMMA)

    def test_layers_that_stand_still_stay_so(self):
        config = {
            "model_type": "cohere2",
            "hidden_size": 512,
            "num_attention_heads": 8,
            "layer_types": ["sliding_attention", "full_attention"],
            "rope_theta": 1e4,
        }
        rope = yc.Rope(64, 1e4, yc.YaRN(4, 4096), interleaved=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert dict(yc.ropes_from_config(yc.to_config(rope, config=config))) == {
                "sliding_attention": rope, "full_attention": None,
            }  # fmt: skip
