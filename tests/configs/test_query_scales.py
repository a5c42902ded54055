"""Query scales in configurations: read, written back, and said where no Rope has them."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
import torch
import transformers
from transformers.models.llama4.modeling_llama4 import Llama4TextAttention
from transformers.models.ministral3.modeling_ministral3 import Ministral3Attention
from transformers.models.mistral4.modeling_mistral4 import Mistral4Attention

import yarncore as yc
from yarncore.__main__ import main

ROPE = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 16.0, "original_max_position_embeddings": 8,
        "llama_4_scaling_beta": 0.25}  # fmt: skip
MINISTRAL = {"model_type": "ministral3", "head_dim": 16, "hidden_size": 64, "num_attention_heads": 4,
             "num_hidden_layers": 2, "max_position_embeddings": 128, "rope_parameters": ROPE}  # fmt: skip
LLAMA4 = {"model_type": "llama4_text", "head_dim": 16, "hidden_size": 64, "num_attention_heads": 4,
          "num_hidden_layers": 4, "rope_theta": 5e5, "attn_scale": 0.3, "floor_scale": 8}  # fmt: skip
MISTRAL4 = {"model_type": "mistral4", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1,
            "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "max_position_embeddings": 128,
            "rope_parameters": ROPE | {"partial_rotary_factor": 0.5}}  # fmt: skip


def read(config, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", yc.ConfigWarning)
        return yc.ropes_from_config(config, **how)


class TestRead:
    def test_that_of_layers_which_rotate_is_in_their_rope_without_a_warning(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rope = yc.from_config(MINISTRAL)
        assert rope == yc.Rope(16, 1e6, yc.YaRN(16.0, 8), query_scale=yc.LogSteps(0.25, 8))

    def test_that_of_latent_attention_reaches_a_slice_and_the_rest_is_said(self):
        with pytest.warns(yc.ConfigWarning, match="the other 8 elements are to be multiplied by rope.query_scale.at"):
            assert yc.from_config(MISTRAL4).query_scale == yc.LogSteps(0.25, 8)

    @pytest.mark.parametrize("beta", [0.0, None])
    def test_none_is_none(self, beta):
        assert (
            yc.from_config(MINISTRAL | {"rope_parameters": ROPE | {"llama_4_scaling_beta": beta}}).query_scale is None
        )

    def test_the_class_s_own_is_read_where_the_file_says_nothing(self):
        config = {
            key: value for key, value in MINISTRAL.items() if key not in ("rope_parameters", "max_position_embeddings")
        }
        assert read(config).one().query_scale == yc.LogSteps(0.1, 16384)

    def test_a_plain_rope_has_it_too(self):
        rope = {key: ROPE[key] for key in ("rope_theta", "llama_4_scaling_beta")} | {"rope_type": "default"}
        with pytest.raises(yc.ConfigError, match="original_max_position_embeddings is missing; llama_4_scaling_beta"):
            yc.from_config(MINISTRAL | {"rope_parameters": rope})
        rope |= {"original_max_position_embeddings": 8}
        assert yc.from_config(MINISTRAL | {"rope_parameters": rope}) == yc.Rope(
            16, 1e6, query_scale=yc.LogSteps(0.25, 8)
        )

    def test_types_that_do_not_read_the_key_have_none_and_it_is_said(self):
        config = {"model_type": "llama", "head_dim": 16, "rope_scaling": ROPE}
        with pytest.warns(
            yc.ConfigWarning, match="llama_4_scaling_beta is 0.25: models of type 'llama' do not read it"
        ):
            assert yc.from_config(config).query_scale is None

    @pytest.mark.parametrize("tuning", [True, 4, None])  # Llama 4's own files have 4; the class's default is true
    def test_that_of_layers_without_rotation_is_beside_the_ropes(self, tuning):
        ropes = read(LLAMA4 | {"attn_temperature_tuning": tuning})
        assert ropes.query_scales == {"full_attention": yc.LogSteps(0.3, 8, offset=1)}
        assert ropes["full_attention"] is None and ropes["chunked_attention"].query_scale is None
        assert "LogSteps(beta=0.3, original_length=8, offset=1)" in repr(ropes)
        with pytest.warns(yc.ConfigWarning) as caught:
            yc.from_config(LLAMA4)
        assert any("full_attention multiply their queries by LogSteps" in str(w.message) for w in caught)

    def test_without_it_or_without_such_layers_there_is_none(self):
        assert read(LLAMA4 | {"attn_temperature_tuning": False}).query_scales == {}
        assert read(LLAMA4 | {"no_rope_layers": [1, 1, 1, 1]}).query_scales == {}
        assert read(LLAMA4 | {"attn_scale": 0}).query_scales == {}

    def test_what_is_wrong_is_said(self):
        for key, value, says in (
            ("attn_temperature_tuning", "yes", "attn_temperature_tuning is 'yes'; true or false"),
            ("floor_scale", 8.5, "floor_scale is 8.5"),
            ("attn_scale", -1, "attn_scale is -1"),
        ):
            with pytest.raises(yc.ConfigError, match=says):
                read(LLAMA4 | {key: value})

    def test_log_n_is_that_of_the_first_qwen(self):
        config = {"model_type": "qwen", "kv_channels": 64, "hidden_size": 256, "num_attention_heads": 4,
                  "rotary_emb_base": 10000, "seq_length": 2048, "use_logn_attn": True}  # fmt: skip
        assert read(config).one().query_scale == yc.LogN(2048)
        assert read(config | {"use_logn_attn": False}).one().query_scale is None
        with pytest.warns(yc.ConfigWarning, match="which length that is, is not known"):
            assert (
                yc.from_config(config | {"model_type": "llama", "head_dim": 64, "rope_theta": 1e4}).query_scale is None
            )


class TestWritten:
    def test_a_model_s_own_file_says_it_again(self):
        rope = read(MINISTRAL).one()
        longer = dataclasses.replace(rope, scaling=yc.YaRN(32.0, 8))
        for wanted in (rope, longer, dataclasses.replace(rope, query_scale=yc.LogSteps(0.5, 8))):
            written = json.loads(json.dumps(yc.to_config(wanted, "huggingface", config=MINISTRAL)))
            assert read(written).one() == wanted

    def test_none_is_written_as_zero_since_the_class_reads_a_number(self):
        plain = dataclasses.replace(read(MINISTRAL).one(), query_scale=None)
        written = yc.to_config(plain, "huggingface", config=MINISTRAL)
        assert written["rope_parameters"]["llama_4_scaling_beta"] == 0
        assert read(written).one() == plain

    def test_a_plain_rope_keeps_what_it_counts_from(self):
        plain = dataclasses.replace(read(MINISTRAL).one(), scaling=None)
        written = yc.to_config(plain, "huggingface", config=MINISTRAL)
        assert written["rope_parameters"]["original_max_position_embeddings"] == 8
        assert read(written).one() == plain

    @pytest.mark.parametrize("scale", [yc.LogN(8), yc.LogSteps(0.25, 8, offset=1), yc.LogSteps(0.25, 64)], ids=repr)
    def test_what_cannot_be_said_is_refused_with_its_size(self, scale):
        rope = dataclasses.replace(read(MINISTRAL).one(), query_scale=scale)
        with pytest.raises(yc.ConfigError, match=r"queries at position .* multiplied by .* in place of"):
            yc.to_config(rope, "huggingface", config=MINISTRAL)

    @pytest.mark.parametrize("format", ["huggingface", "deepseek", "gguf", "megatron", "gpt-oss"])
    def test_formats_without_words_for_it_refuse_it(self, format, tmp_path):
        rope = yc.Rope(
            128, scaling=yc.YaRN(4.0, 4096), interleaved=format == "deepseek", query_scale=yc.LogSteps(0.1, 4096)
        )
        if format == "deepseek":
            rope = dataclasses.replace(
                rope, scaling=yc.YaRN(4.0, 4096, mscale=1.0, mscale_all_dim=1.0, softmax_mscale=1.0)
            )
        with pytest.raises(yc.ConfigError):
            yc.to_config(rope, format)


def test_show_names_it(tmp_path, capsys):
    for config, words in ((MINISTRAL, "query scale"), (LLAMA4, "query scale of full_attention layers")):
        file = tmp_path / "config.json"
        file.write_text(json.dumps(config))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert main(["show", str(file)]) == 0
            told = capsys.readouterr().out
            assert words in told and "LogSteps(beta=" in told
            assert main(["show", str(file), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        own = told["query_scale"], told["query_scales_without_rotation"]
        assert own == (("LogSteps(beta=0.25, original_length=8, offset=0)", {}) if config is MINISTRAL else
                       (None, {"full_attention": "LogSteps(beta=0.3, original_length=8, offset=1)"}))  # fmt: skip


class TestModelsThemselves:
    """The attention of transformers, run: what it hands to its attention function, and to its cache."""

    TOKENS = 21

    def seen(self, attention, config, monkeypatch, **more):
        """The queries, in float64, and keys that attention computes with."""
        caught = {}

        def function(module, query, key, value, *rest, **options):
            caught.update(query=query, key=key)
            return query.new_zeros(*query.shape[:3], value.shape[-1]).transpose(1, 2), None

        monkeypatch.setitem(transformers.modeling_utils.ALL_ATTENTION_FUNCTIONS, "caught", function)
        config._attn_implementation = "caught"
        torch.manual_seed(0)
        hidden = torch.randn(1, self.TOKENS, config.hidden_size, dtype=torch.float64)
        module = attention(config, **more).double().eval()
        positions = torch.arange(self.TOKENS)[None]
        return module, hidden, positions, caught

    def test_ministral_3_multiplies_q_alone_as_the_rope_that_is_read(self, monkeypatch):
        config = transformers.Ministral3Config(**MINISTRAL, num_key_value_heads=2)
        module, hidden, positions, caught = self.seen(Ministral3Attention, config, monkeypatch, layer_idx=0)
        rope = yc.from_config(config)
        cos, sin = (torch.cat([x, x], -1) for x in rope.cos_sin(positions, dtype=torch.float64))
        with torch.no_grad():
            module(hidden, position_embeddings=(cos, sin), attention_mask=None, position_ids=positions)
            q, k = (projection(hidden).view(1, self.TOKENS, -1, 16) for projection in (module.q_proj, module.k_proj))
        q, k = rope.rotate(q, k, positions)
        assert not torch.allclose(q, dataclasses.replace(rope, query_scale=None).rotate(q, None, positions))
        # its scale is of float32 before it is widened
        assert torch.allclose(caught["query"].transpose(1, 2), q, rtol=1e-6, atol=1e-6)
        assert torch.allclose(caught["key"].transpose(1, 2), k, rtol=1e-12, atol=1e-12)

    def test_mistral_4_multiplies_whole_queries_of_which_the_rope_sees_a_slice(self, monkeypatch):
        config = transformers.Mistral4Config(**MISTRAL4, q_lora_rank=None, kv_lora_rank=8, v_head_dim=8)
        module, hidden, positions, caught = self.seen(Mistral4Attention, config, monkeypatch, layer_idx=0)
        rope = read(config).one()
        cos, sin = (torch.cat([x, x], -1) for x in rope.cos_sin(positions, dtype=torch.float64))
        with torch.no_grad():
            module(hidden, position_embeddings=(cos, sin), attention_mask=None, position_ids=positions)
            q = module.q_proj(hidden).view(1, self.TOKENS, -1, 16)
        turned = rope.rotate(q[..., 8:], None, positions, query=True)
        rest = q[..., :8] * rope.query_scale.at(positions)[..., None, None]
        whole = yc.Rope(16, rope.base, rope.scaling, 8, True, rotary_start=8, query_scale=rope.query_scale)
        halves = torch.cat([rest, turned[..., ::2], turned[..., 1::2]], -1)  # transformers de-interleaves what it turns
        assert torch.allclose(caught["query"].transpose(1, 2), halves, rtol=1e-6, atol=1e-6)
        assert torch.allclose(whole.rotate(q, None, positions, query=True), torch.cat([rest, turned], -1), rtol=1e-14)

    def test_llama_4_multiplies_on_layers_without_rotation_only(self, monkeypatch):
        config = transformers.Llama4TextConfig(**LLAMA4, num_key_value_heads=2)
        scale = read(config).query_scales["full_attention"]
        for layer, rotates in enumerate(config.no_rope_layers):
            module, hidden, positions, caught = self.seen(Llama4TextAttention, config, monkeypatch, layer_idx=layer)
            identity = torch.ones(1, self.TOKENS, 8, dtype=torch.complex64)
            with torch.no_grad():
                module(hidden, position_embeddings=identity, attention_mask=None)
                q = module.q_proj(hidden).view(1, self.TOKENS, -1, 16)
            factor = torch.from_numpy(np.asarray(scale.at(positions[0].numpy())))[None, :, None, None]
            if rotates:  # by nothing here; and normed, if at all
                assert not torch.allclose(
                    caught["query"].transpose(1, 2).norm(dim=-1)[:, 7:], (q * factor).norm(dim=-1)[:, 7:]
                )
            else:
                assert torch.allclose(caught["query"].transpose(1, 2), q * factor, rtol=1e-6, atol=1e-6)
