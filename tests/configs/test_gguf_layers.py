"""GGUF files whose layers differ: which turn, by what, and what is written for which of them."""

import pytest

import yarncore as yc

YARN = yc.YaRN(4.0, 8192)


def file(architecture, **keys):
    shape = {"block_count": 8, "context_length": 8192, "attention.key_length": 64, "rope.freq_base": 500_000.0}
    shape |= {"attention.sliding_window": 128} | {key.replace("__", "."): value for key, value in keys.items()}
    named = {f"{architecture}.{key}": value for key, value in shape.items() if value is not None}
    return {"general.architecture": architecture} | named


def changed(mapping, changes):
    return {key: value for key, value in {**mapping, **changes}.items() if value is not None}


class TestReading:
    def test_windows_of_gemma_3_have_a_base_of_their_own_and_no_scaling(self):
        ropes = yc.ropes_from_config(file("gemma3", rope__scaling__type="linear", rope__scaling__factor=8.0))
        assert dict(ropes) == {
            "sliding_attention": yc.Rope(64),
            "full_attention": yc.Rope(64, 500_000.0, yc.PositionInterpolation(8.0)),
        }
        assert ropes.layer_types.count("full_attention") == 1
        assert not ropes.one_for_all

    def test_without_a_number_of_layers_their_types_are_told(self):
        ropes = yc.ropes_from_config(file("gpt-oss", block_count=None))
        assert list(ropes) == ["sliding_attention", "full_attention"]
        assert ropes.layers == ()

    def test_llama_4_multiplies_queries_where_it_does_not_turn_them(self):
        ropes = yc.ropes_from_config(file("llama4"))
        assert ropes["full_attention"] is None
        assert ropes.query_scales == {"full_attention": yc.LogSteps(0.1, 8192, offset=1)}

    def test_layers_that_predict_ahead_are_none_of_the_model(self):
        assert len(yc.ropes_from_config(file("glm4moe", nextn_predict_layers=1)).layers) == 7

    def test_pairs_that_llama_cpp_lets_stand_still_are_named(self):
        sections = {"rope__dimension_sections": [24, 20, 20, 0], "attention__key_length": 128}
        with pytest.warns(yc.ConfigWarning, match=r"lets pairs 61, 62, which cannot be dealt out in turn, stand still"):
            rope = yc.from_config(file("qwen3vl", **sections))
        assert rope == yc.Rope(128, 5e5, sections=(24, 20, 20), section_order="interleaved")

    def test_a_granite_file_can_say_that_nothing_turns(self):
        assert yc.ropes_from_config(file("granite", rope__scaling__finetuned=False)).layers == (None,) * 8
        assert yc.ropes_from_config(file("granite", rope__scaling__finetuned=True))["full_attention"] is not None

    def test_gemma_4_keeps_most_of_each_pair_still(self):
        shape = file(
            "gemma4", attention__sliding_window_pattern=[True] * 5 + [False] + [True] * 2, attention__key_length=512,
            attention__key_length_swa=256, rope__dimension_count_swa=256,
        )  # fmt: skip
        with pytest.raises(yc.ConfigError, match=r"the tensor rope_freqs\.weight is missing"):
            yc.ropes_from_config(shape)
        ropes = yc.ropes_from_config(shape | {"rope_freqs.weight": [1.0] * 64 + [1e30] * 192})
        assert ropes["full_attention"] == yc.Rope(512, 5e5, yc.Proportional(0.25))
        assert ropes["sliding_attention"] == yc.Rope(256)
        with pytest.raises(yc.ConfigError, match="stand still among those that turn"):
            yc.ropes_from_config(shape | {"rope_freqs.weight": [1.0] * 64 + [1e30] * 191 + [1.0]})

    @pytest.mark.parametrize(("mapping", "words"), [
        (file("grok"), "general.architecture is 'grok': .* is not known"),
        (file("smollm3", block_count=None), r"smollm3\.block_count is missing"),
        (file("llama4", attention__sliding_window=0), r"sliding_window is 0; a number of tokens > 0 \(llama\.cpp stops"),
        (file("afmoe", attention__sliding_window=None), r"sliding_window is None; a number of tokens > 0"),
        (file("mimo2"), r"sliding_window_pattern is None; a list with an entry for each layer"),
        (file("gemma3", attention__sliding_window_pattern=["yes"] * 8), r"sliding_window_pattern is .*; a list of true and false"),
        (file("gemma3", attention__sliding_window_pattern=1.5), r"sliding_window_pattern is 1\.5"),
        (file("gemma3", attention__key_length_swa=32), r"key_length_swa is 32; the number of the other layers"),
        (file("qwen2vl"), r"rope\.dimension_sections is missing"),
        (file("qwen2vl", rope__dimension_sections=[8, 12, 13, 0]), "three numbers of pairs whose sum is 32, and 0"),
        (file("qwen2vl", rope__dimension_sections=[8, 12, 10, 2]), "three numbers of pairs whose sum is 32, and 0"),
        (file("qwen2vl", rope__dimension_sections=[8, 12, 12]), "a list of four numbers of pairs"),
        (file("glm4moe", nextn_predict_layers=9), "nextn_predict_layers is 9; a number of layers, at most block_count = 8"),
        (file("lfm2", attention__head_count_kv=[0, 1]), "head_count_kv is .*; a list of 8 numbers"),
        (file("qwen35", rope__dimension_sections=[12, 10, 10, 0], attention__recurrent_layers=[1]), "a list of 8 entries"),
        (file("deepseek2", rope__dimension_count=64, attention__temperature_scale=0.1), "temperature_length is missing"),
        (
            file("gemma3", rope__scaling__type="yarn", rope__scaling__factor=4.0, rope__scaling__attn_factor=0.5),
            "multiplies cos and sin by it on layers that it does not scale",
        ),
    ])  # fmt: skip
    def test_what_cannot_be_told_is_refused_by_name(self, mapping, words):
        with pytest.raises(yc.ConfigError, match=words):
            yc.ropes_from_config(mapping)


class TestWriting:
    def test_one_rope_is_for_the_layers_that_are_scaled(self):
        mapping = file("gemma3")
        rope = yc.Rope(64, 5e5, YARN)
        ropes = yc.ropes_from_config(changed(mapping, yc.to_config(rope, "gguf", config=mapping)))
        assert dict(ropes) == {"sliding_attention": yc.Rope(64), "full_attention": rope}
        assert ropes.advertised_length == 32768

    def test_of_layers_that_turn_alone_it_is_theirs(self):
        mapping = file("cohere2")
        rope = yc.Rope(64, 5e5, YARN, interleaved=True)
        for format in ("gguf", "llama.cpp"):
            written = yc.to_config(rope, format, config=mapping)
            found = (
                yc.ropes_from_config(changed(mapping, written))
                if format == "gguf"
                else yc.ropes_from_config(written, config=mapping)
            )
            assert dict(found) == {"sliding_attention": rope, "full_attention": None}

    def test_flags_do_not_reach_layers_with_settings_of_their_own(self):
        mapping = file("gpt-oss")
        rope, plain = yc.Rope(64, 5e5, YARN), yc.Rope(64, 5e5)
        by_keys = yc.ropes_from_config(changed(mapping, yc.to_config(rope, "gguf", config=mapping)))
        assert set(by_keys.layers) == {rope}
        with pytest.warns(yc.ConfigWarning, match="layers of type sliding_attention stay as the file has them"):
            written = yc.to_config(rope, "llama.cpp", config=mapping)
        assert dict(yc.ropes_from_config(written, config=mapping)) == {
            "full_attention": rope,
            "sliding_attention": plain,
        }
        with pytest.raises(yc.ConfigError, match="for layers of type sliding_attention"):
            yc.to_config({"full_attention": rope, "sliding_attention": rope}, "llama.cpp", config=mapping)
        with pytest.raises(yc.ConfigError, match="for layers of type sliding_attention"):
            yc.to_config({"full_attention": rope, "sliding_attention": plain}, "gguf", config=mapping)

    def test_layers_that_llama_cpp_never_scales_stay(self):
        mapping, rope = file("olmo2"), yc.Rope(64, 5e5, YARN)
        with pytest.warns(yc.ConfigWarning, match="layers of type sliding_attention stay"):
            written = yc.to_config(rope, "gguf", config=mapping)
        found = yc.ropes_from_config(changed(mapping, written))
        assert dict(found) == {"sliding_attention": yc.Rope(64, 5e5), "full_attention": rope}

    def test_where_only_layers_with_windows_turn_flags_scale_nothing(self):
        with pytest.raises(yc.ConfigError, match="cannot express these numbers for layers of type sliding_attention"):
            yc.to_config(yc.Rope(64, 5e5, YARN), "llama.cpp", config=file("afmoe"))

    def test_what_a_file_has_is_written_as_no_change(self):
        for architecture in ("gemma3", "cohere2", "llama4", "gpt-oss", "smollm3"):
            mapping = file(architecture)
            assert yc.to_config(dict(yc.ropes_from_config(mapping)), "gguf", config=mapping) == {}

    @pytest.mark.parametrize(("asked", "words"), [
        ({"sliding": yc.Rope(64)}, "layers of type 'sliding'; those of config are of type sliding_attention, full_attention"),
        ({"full_attention": None}, "rope is None for layers of type 'full_attention'"),
    ])  # fmt: skip
    def test_layer_types_that_the_file_has_not_are_named(self, asked, words):
        for format in ("gguf", "llama.cpp"):
            with pytest.raises(yc.ConfigError, match=words):
                yc.to_config(asked, format, config=file("gemma3"))
