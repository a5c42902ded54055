"""What transformers itself computes from a configuration, and what from_config reads from it."""

import json
import warnings

import numpy as np
import pytest
import transformers
from golden_files import golden, records

import yarncore as yc

NESTED_TRUNCATE = "nested yarn truncate=false: the key is not looked up in the nested dict"


def read(config, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", yc.ConfigWarning)
        return yc.from_config(config, **options)


def relative(ours, theirs):
    theirs = np.asarray(theirs)
    return np.max(np.abs(ours - theirs) / np.where(theirs == 0, 1, theirs))


@pytest.mark.parametrize("record", [r for r in records("hf") if r["name"] != NESTED_TRUNCATE], ids=lambda r: r["name"])
class TestRecord:
    def test_dict(self, record):
        rope = read(record["config"], layer_type=record["layer_type"])
        rotation = rope.at(record["seq_len"])
        assert rope.head_dim in (record["head_dim"], record["rotary_dim"])
        assert rope.rotary_dim == record["rotary_dim"]
        assert relative(rotation.inverse_frequencies, record["inv_freq"]) <= 1e-6
        assert rotation.attention_factor == pytest.approx(record["attention_factor"], abs=1e-7)
        assert rotation.softmax_scale_factor == pytest.approx(record["softmax_scale_factor"] or 1.0, abs=1e-7)

    def test_file_and_folder(self, record, tmp_path):
        (tmp_path / "config.json").write_text(json.dumps(record["config"]))
        expected = read(record["config"], layer_type=record["layer_type"])
        for source in (tmp_path, tmp_path / "config.json", str(tmp_path / "config.json")):
            assert read(source, layer_type=record["layer_type"]) == expected

    def test_transformers_object(self, record):
        """The configuration object of transformers 5 says the same as the file it was made of."""
        cls = getattr(transformers, record["config_class"], None)
        if cls is None:
            pytest.fail(f"{record['config_class']} is not in transformers {transformers.__version__}")
        given = json.loads(json.dumps(record["config"]))
        given.pop("model_type")
        config = cls(**given)
        rope = read(config, layer_type=record["layer_type"], strict=False)
        rotation = rope.at(record["seq_len"])
        assert relative(rotation.inverse_frequencies, record["inv_freq"]) <= 1e-6
        assert rotation.attention_factor == pytest.approx(record["attention_factor"], abs=1e-7)
        assert rotation.softmax_scale_factor == pytest.approx(record["softmax_scale_factor"] or 1.0, abs=1e-7)


def test_nested_truncate_is_honoured_where_transformers_does_not_see_it():
    """Both numbers: transformers' own are those of the rounded ramp; the file asks for the unrounded one."""
    (record,) = [r for r in records("hf") if r["name"] == NESTED_TRUNCATE]
    rope = read(record["config"], layer_type="full_attention")
    assert rope.scaling.truncate is False
    rounded = yc.Rope(64, 150_000.0, yc.YaRN(32.0, 4096))
    assert relative(rounded.inverse_frequencies, record["inv_freq"]) <= 1e-6
    assert 0.43 < relative(rope.inverse_frequencies, record["inv_freq"]) < 0.44


@pytest.mark.parametrize("path", golden("hf")["paths"], ids=lambda p: p["config_class"])
def test_one_module_fed_lengths_one_after_another(path):
    """transformers keeps the longest length until one below L comes; the state is the caller's here."""
    rope = read(path["config"])
    kept = 0
    for state in path["states"]:
        length = state["length"]
        if path["config_class"] == "LlamaConfig":
            kept = length if length < 4096 else max(kept, length)
        else:
            kept = length
        # a float32 power: 1.5e-7 and more
        assert relative(rope.at(kept).inverse_frequencies, state["inv_freq"]) <= 1e-6


class TestModelTypes:
    @pytest.mark.parametrize(("model_type", "interleaved"), [
        ("llama", False), ("qwen2", False), ("mistral", False), ("gpt_oss", False), ("phi3", False), ("gpt_neox", False),
        ("cohere", True), ("glm4", True), ("gptj", True), ("deepseek_v2", True), ("deepseek_v3", True), ("llama4_text", True),
        ("helium", True), ("ernie4_5", True),
    ])  # fmt: skip
    def test_pair_layout(self, model_type, interleaved):
        config = {"model_type": model_type, "hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 2}
        assert read(config).interleaved is interleaved

    def test_the_layout_is_that_of_transformers_own_code(self):
        """apply_rotary_pos_emb of each model against a rotation in the layout that is read."""
        import importlib

        import torch

        for model_type, module in (("llama", "llama"), ("cohere", "cohere"), ("glm4", "glm4"), ("gpt_oss", "gpt_oss")):
            code = importlib.import_module(f"transformers.models.{module}.modeling_{module}")
            rope = read({"model_type": model_type, "head_dim": 16, "rope_theta": 10000.0, "partial_rotary_factor": 1.0})
            q = torch.randn(1, 2, 5, 16)
            cos, sin = rope.cos_sin(torch.arange(5)[None])
            if model_type != "gpt_oss":
                repeat = (
                    (lambda t: t.repeat_interleave(2, -1)) if rope.interleaved else (lambda t: torch.cat([t, t], -1))
                )
                cos, sin = repeat(cos), repeat(sin)
                if model_type == "glm4":
                    cos, sin = rope.cos_sin(torch.arange(5)[None])
                    cos, sin = torch.cat([cos, cos], -1), torch.cat([sin, sin], -1)
            theirs, _ = code.apply_rotary_pos_emb(q, q, cos, sin)
            ours = rope.rotate(q, None, None, heads_axis=-3)
            assert torch.allclose(ours, theirs, atol=1e-6), model_type

    def test_rope_interleave(self):
        config = {"model_type": "deepseek_v3", "qk_rope_head_dim": 64, "rope_theta": 10000.0}
        assert read(config | {"rope_interleave": False}).interleaved is False

    def test_softmax_factor_by_model_type(self):
        rope = {
            "type": "yarn",
            "factor": 40,
            "mscale": 1.0,
            "mscale_all_dim": 1.0,
            "original_max_position_embeddings": 4096,
        }
        config = {"head_dim": 64, "rope_theta": 10000, "max_position_embeddings": 163840, "rope_scaling": rope}
        assert read(config | {"model_type": "deepseek_v3"}).at().softmax_scale_factor == pytest.approx(1.87385420709)
        assert read(config | {"model_type": "llama"}).at().softmax_scale_factor == 1

    def test_zero_mscale_counts_as_absent(self):
        rope = {
            "type": "yarn",
            "factor": 40,
            "mscale": 0.707,
            "mscale_all_dim": 0,
            "original_max_position_embeddings": 4096,
        }
        config = {"model_type": "deepseek_v3", "head_dim": 64, "rope_theta": 10000, "rope_scaling": rope}
        with pytest.warns(yc.ConfigWarning, match="mscale is given alone"):
            rotation = yc.from_config(config).at()
        assert rotation.attention_factor == pytest.approx(0.1 * np.log(40) + 1)
        assert rotation.softmax_scale_factor == 1

    def test_layers_without_rotation(self):
        base = {"head_dim": 64, "rope_theta": 10000.0, "num_hidden_layers": 8}
        ropes = yc.ropes_from_config(base | {"model_type": "smollm3"})
        assert [rope is not None for rope in ropes.layers] == [True, True, True, False] * 2
        assert dict(ropes) == {"full_attention": yc.Rope(64), "no_rope": None}
        listed = yc.ropes_from_config(base | {"model_type": "smollm3", "no_rope_layers": [0, 1] * 4})
        assert [rope is not None for rope in listed.layers] == [False, True] * 4
        both = yc.ropes_from_config(
            base | {"model_type": "smollm3", "no_rope_layers": [0, 1] * 4, "no_rope_layer_interval": 2}
        )
        assert both.layers == listed.layers
        cohere = yc.ropes_from_config(base | {"model_type": "cohere2"})
        assert cohere["full_attention"] is None
        assert cohere["sliding_attention"].interleaved
        assert [rope is not None for rope in cohere.layers] == [True, True, True, False] * 2
        with pytest.warns(yc.ConfigWarning, match="have no rotation"):
            assert yc.from_config(base | {"model_type": "smollm3"}) == yc.Rope(64)
        with pytest.raises(yc.ConfigError, match="have no rotation"):
            yc.from_config(base | {"model_type": "smollm3"}, layer_type="no_rope")

    def test_nested_layer_types(self):
        (record,) = [r for r in records("hf") if r["name"] == "gemma3-4b full_attention linear s=8"]
        ropes = yc.ropes_from_config(record["config"])
        assert ropes["sliding_attention"] == yc.Rope(256, 10_000.0)
        assert ropes["full_attention"] == yc.Rope(256, 1e6, yc.PositionInterpolation(8.0))
        assert [rope.base for rope in ropes.layers] == [1e4] * 5 + [1e6]
        with pytest.raises(yc.ConfigError, match=r"choose a layer_type.*sliding_attention: Rope\("):
            yc.from_config(record["config"])
        with pytest.raises(yc.ConfigError, match="one of sliding_attention, full_attention is expected"):
            yc.from_config(record["config"], layer_type="global")
        nope = {"model_type": "llama", "head_dim": 64, "rope_parameters": {"a": {"rope_theta": 1e4}, "b": None}}
        assert yc.ropes_from_config(nope)["b"] is None

    def test_a_language_model_within_a_larger_one(self):
        inner = {"model_type": "llama", "head_dim": 64, "rope_theta": 5e5}
        for key in ("text_config", "llm_config", "thinker_config"):
            assert read({"model_type": "some_vlm", key: inner}) == yc.Rope(64, 5e5)
        with pytest.raises(yc.ConfigError, match=r"text_config\.rope_theta is 500000\.0 and rope_theta is 1"):
            read({"text_config": inner, "rope_theta": 1e4})

    def test_keys_beside_a_language_model_may_be_those_of_another_part(self):
        inner = {"model_type": "qwen2", "hidden_size": 512, "num_attention_heads": 8, "rope_theta": 1e4}
        outer = {"model_type": "musicflamingo", "text_config": inner}
        assert read(outer | {"rope_parameters": {"rope_theta": 1200.0, "partial_rotary_factor": 0.2}}) == yc.Rope(64)

    def test_a_key_that_denies_several_positions_changes_nothing(self):
        config = {"model_type": "qwen2", "hidden_size": 512, "num_attention_heads": 8, "rope_theta": 1e4}
        assert read(config | {"use_mrope": False}) == yc.Rope(64)
        with pytest.raises(yc.ConfigError, match="use_mrope is True: such a key decides how a model rotates"):
            read(config | {"use_mrope": True}, strict=False)

    def test_keys_left_over_from_other_models_do_not_refuse_a_file(self):
        modernbert = {
            "model_type": "modernbert",
            "hidden_size": 768,
            "num_attention_heads": 12,
            "global_rope_theta": 160000.0,
            "local_rope_theta": 10000.0,
        }
        with pytest.warns(
            yc.ConfigWarning, match="position_embedding_type is 'absolute', which this model type does not read"
        ):
            ropes = yc.ropes_from_config(modernbert | {"position_embedding_type": "absolute"})
        assert dict(ropes) == {"full_attention": yc.Rope(64, 160000.0), "sliding_attention": yc.Rope(64, 10000.0)}
        with pytest.raises(yc.ConfigError, match="position_embedding_type is 'relative_key': such a key decides"):
            yc.ropes_from_config(modernbert | {"position_embedding_type": "relative_key"})
        gptj = {"model_type": "gptj", "n_embd": 4096, "n_head": 16, "rotary_dim": 64}
        assert read(gptj | {"rotary": True}) == yc.Rope(256, rotary_dim=64, interleaved=True)
        with pytest.raises(yc.ConfigError, match="rotary is False: such a key decides"):
            read(gptj | {"rotary": False})

    def test_an_order_told_twice_must_agree(self):
        rope = {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True, "interleaved": True}
        config = {"model_type": "qwen3_vl_text", "head_dim": 128, "rope_theta": 1e6, "rope_scaling": rope}
        assert read(config) == yc.Rope(128, 1e6, sections=(24, 20, 20), section_order="interleaved")
        with pytest.raises(yc.ConfigError, match="interleaved is False; true, as mrope_interleaved has it"):
            read(config | {"rope_scaling": rope | {"interleaved": False}})

    @pytest.mark.parametrize(
        ("model_type", "order"), [("qwen2_vl_text", "contiguous"), ("qwen3_vl_text", "interleaved")]
    )
    def test_sections(self, model_type, order):
        rope = {"rope_type": "default", "mrope_section": [16, 24, 24]}
        config = {"model_type": model_type, "head_dim": 128, "rope_theta": 1e6, "rope_scaling": rope}
        assert read(config) == yc.Rope(128, 1e6, sections=(16, 24, 24), section_order=order)
        old = config | {"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}
        assert read(old) == read(config)

    def test_sections_of_no_pairs_are_kept(self):
        config = {"model_type": "qwen2_vl_text", "head_dim": 4, "rope_theta": 1e4}
        rope = read(config | {"rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 0]}})
        assert rope == yc.Rope(4, sections=(1, 1, 0))

    def test_sections_of_the_class_that_do_not_fit_are_refused(self):
        config = {"model_type": "glm4v_text", "hidden_size": 4096, "num_attention_heads": 32, "rope_theta": 1e4}
        with pytest.raises(
            yc.ConfigError, match=r"mrope_section is missing; its class has \[8, 12, 12\], whose sum is not"
        ):
            read(config)

    def test_hunyuan_alpha_is_a_larger_base(self):
        rope = {
            "type": "dynamic",
            "alpha": 1000.0,
            "factor": 1.0,
            "beta_fast": 32,
            "beta_slow": 1,
            "mscale": 1.0,
            "mscale_all_dim": 1.0,
        }
        config = {"model_type": "hunyuan_v1_dense", "head_dim": 128, "rope_theta": 1e4, "rope_scaling": rope}
        assert read(config).scaling == yc.NTKAware(1000.0)

    def test_attention_in_chunks_is_warned_of(self):
        config = {
            "model_type": "qwen2",
            "head_dim": 64,
            "rope_theta": 1e4,
            "hidden_size": 512,
            "num_attention_heads": 8,
        }
        with pytest.warns(yc.ConfigWarning, match="dual_chunk_attention_config is set: .* chunks of 262144 tokens"):
            rope = yc.from_config(config | {"dual_chunk_attention_config": {"chunk_size": 262144}})
        assert rope == yc.Rope(64)


def test_every_example_is_read_and_says_what_its_model_card_says():
    from pathlib import Path

    folder = Path(__file__).parents[2] / "examples" / "configs"
    files = sorted(folder.glob("*.json"))
    assert len(files) >= 8
    listed = (folder / "README.md").read_text()
    for file in files:
        assert file.name in listed
        rope = read(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert rope == read(json.loads(file.read_text()))
    assert read(folder / "qwen2.5-7b-128k.json") == yc.Rope(128, 1e6, yc.YaRN(4.0, 32768))
    assert read(folder / "gpt-oss-20b.json").scaling.truncate is False
