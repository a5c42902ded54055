"""Files whose class in transformers does something of its own with their keys: what is read is what its module computes."""

import copy
import warnings

import numpy as np
import pytest
import torch
from golden_files import golden
from transformers import (
    Cohere2MoeConfig,
    DeepseekV4Config,
    LlamaConfig,
    MiniMaxM3VLTextConfig,
    Ministral3Config,
    Molmo2TextConfig,
    MoonshineConfig,
    NeoMMEConfig,
)
from transformers.models.cohere2_moe.modeling_cohere2_moe import Cohere2MoeRotaryEmbedding
from transformers.models.deepseek_v4.modeling_deepseek_v4 import DeepseekV4RotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.minimax_m3_vl.modeling_minimax_m3_vl import MiniMaxM3VLRotaryEmbedding
from transformers.models.ministral3.modeling_ministral3 import Ministral3RotaryEmbedding
from transformers.models.molmo2.modeling_molmo2 import Molmo2RotaryEmbedding
from transformers.models.moonshine.modeling_moonshine import MoonshineModel
from transformers.models.muse_glimmer.configuration_muse_glimmer import MuseGlimmerTextConfig
from transformers.models.muse_glimmer.modeling_muse_glimmer import MuseGlimmerTextRotaryEmbedding
from transformers.models.neomme.modeling_neomme import NeoMMERotaryEmbedding

import yarncore as yc

YARN = {"type": "yarn", "factor": 16, "original_max_position_embeddings": 65536, "beta_fast": 32, "beta_slow": 1}
# As DeepSeek-V4's own files spell it.
DEEPSEEK_V4 = {
    "model_type": "deepseek_v4", "hidden_size": 4096, "num_attention_heads": 64, "num_key_value_heads": 1, "head_dim": 512,
    "qk_rope_head_dim": 64, "num_hidden_layers": 4, "max_position_embeddings": 1048576, "rope_theta": 10000,
    "compress_rope_theta": 160000, "compress_ratios": [0, 0, 4, 128], "rope_scaling": YARN,
}  # fmt: skip
COHERE2_MOE = {
    "model_type": "cohere2_moe", "head_dim": 128, "hidden_size": 8192, "num_attention_heads": 64, "num_hidden_layers": 4,
    "max_position_embeddings": 131072,
}  # fmt: skip
LINEAR = {"rope_type": "linear", "factor": 4.0}
TELECHAT3 = {
    "model_type": "qwen3", "head_dim": 128, "max_position_embeddings": 131072, "rope_theta": 1e6,
    "rope_scaling": {"type": "telechat3-yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
}  # fmt: skip
MOLMO2 = {
    "model_type": "molmo2_text", "hidden_size": 512, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 128,
    "num_hidden_layers": 3, "max_position_embeddings": 4096, "rope_scaling_layers": [1],
    "rope_parameters": {**LINEAR, "rope_theta": 50000.0},
}  # fmt: skip
HALF_OF_A_LLAMA = {"model_type": "llama", "head_dim": 64, "rope_theta": 1e4, "partial_rotary_factor": 0.5}
MINIMAX_M3 = {"model_type": "minimax_m3_vl_text", "head_dim": 128, "rotary_dim": 64, "rope_theta": 5e6}


def configured(config_class, file):
    """A configuration of transformers; its class writes into the dicts that it is given."""
    return config_class.from_dict(copy.deepcopy(file))


def same_frequencies(rope, module, name="inv_freq"):
    expected = getattr(module, name)
    assert torch.allclose(torch.tensor(np.array(rope.at().inverse_frequencies)), expected.double(), rtol=3e-6, atol=0)


class TestDeepSeekV4:
    def test_layers_that_compress_have_a_base_of_their_own_and_the_scaling_and_no_temperature(self):
        ropes = yc.ropes_from_config(DEEPSEEK_V4)
        module = DeepseekV4RotaryEmbedding(configured(DeepseekV4Config, DEEPSEEK_V4))
        assert ropes.layer_types == (
            "sliding_attention", "sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention",
        )  # fmt: skip
        plain, compressing = ropes["sliding_attention"], ropes["compressed_sparse_attention"]
        assert ropes["heavily_compressed_attention"] == compressing
        assert plain == yc.Rope(512, 1e4, rotary_dim=64, interleaved=True, rotary_start=448)
        same_frequencies(plain, module, "main_inv_freq")
        same_frequencies(compressing, module, "compress_inv_freq")
        assert compressing.at().attention_factor == module.compress_attention_scaling == 1.0

    def test_within_dicts_of_its_own_labels_a_temperature_is_the_usual_one(self):
        written = configured(DeepseekV4Config, DEEPSEEK_V4).to_dict()
        assert yc.ropes_from_config(written) == yc.ropes_from_config(DEEPSEEK_V4)
        del written["rope_parameters"]["compress"]["attention_factor"]
        module = DeepseekV4RotaryEmbedding(configured(DeepseekV4Config, written))
        rope = yc.ropes_from_config(written)["compressed_sparse_attention"]
        assert rope.at().attention_factor == pytest.approx(module.compress_attention_scaling, abs=1e-6)
        assert module.compress_attention_scaling > 1.27

    def test_what_is_written_is_read_again(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", yc.ConfigWarning)
            ropes = yc.ropes_from_config(DEEPSEEK_V4)
            assert yc.ropes_from_config(yc.to_config(dict(ropes), config=DEEPSEEK_V4)) == ropes

    def test_a_ratio_that_its_class_has_no_layer_for_is_refused(self):
        with pytest.raises(yc.ConfigError, match=r"compress_ratios is \[0, 8\]; a list of 0 \(sliding_attention\) and"):
            yc.ropes_from_config(DEEPSEEK_V4 | {"compress_ratios": [0, 8], "num_hidden_layers": 2})


class TestCohere2Moe:
    def test_version_5s_key_scales(self):
        config = COHERE2_MOE | {"rope_parameters": {**LINEAR, "rope_theta": 50000.0}}
        rope = yc.ropes_from_config(config)["sliding_attention"]
        assert rope.scaling == yc.PositionInterpolation(4.0)
        same_frequencies(rope, Cohere2MoeRotaryEmbedding(configured(Cohere2MoeConfig, config)))

    def test_version_4s_key_is_passed_over_with_a_warning(self):
        config = COHERE2_MOE | {"rope_theta": 50000.0, "rope_scaling": LINEAR}
        with pytest.warns(yc.ConfigWarning, match="rope_scaling is .*which this model type does not read"):
            rope = yc.ropes_from_config(config)["sliding_attention"]
        assert rope.scaling is None
        same_frequencies(rope, Cohere2MoeRotaryEmbedding(configured(Cohere2MoeConfig, config)))


class TestMolmo2:
    def test_layers_that_are_not_listed_have_the_base_and_no_scaling(self):
        ropes = yc.ropes_from_config(MOLMO2)
        config = configured(Molmo2TextConfig, MOLMO2)
        for rope, scaled in zip(ropes.layers, (False, True, False), strict=True):
            same_frequencies(rope, Molmo2RotaryEmbedding(config, scaled=scaled))
        assert dict(ropes) == {
            "full_attention": yc.Rope(128, 50000.0),
            "full_attention, scaled": yc.Rope(128, 50000.0, yc.PositionInterpolation(4.0)),
        }

    def test_a_layer_that_there_is_not_is_refused(self):
        with pytest.raises(
            yc.ConfigError, match=r"rope_scaling_layers is \[3\]; a list of layers, from 0 to 2, is expected"
        ):
            yc.ropes_from_config(MOLMO2 | {"rope_scaling_layers": [3]})


class TestTeleChat3:
    def test_its_attention_factor_is_what_vllm_was_seen_to_make(self):
        (record,) = (
            one for one in golden("engines_executed")["records"] if one["name"] == "vLLM: config, telechat3-yarn"
        )
        rope = yc.from_config(TELECHAT3)
        assert rope.at().attention_factor == pytest.approx(record["rope_parameters"]["attention_factor"], abs=1e-12)

    def test_with_a_factor_of_its_own_it_is_refused(self):
        with pytest.raises(yc.ConfigError, match=r"attention_factor is 1\.0; none beside telechat3-yarn"):
            yc.from_config(TELECHAT3 | {"rope_scaling": {**TELECHAT3["rope_scaling"], "attention_factor": 1.0}})


class TestMiniMaxM3:
    """Its class writes rotary_dim and reads partial_rotary_factor, as vLLM does (vllm/models/minimax_m3/nvidia/model.py)."""

    def test_a_part_that_agrees_is_read_without_a_word(self):
        config = MINIMAX_M3 | {"partial_rotary_factor": 0.5}
        module = MiniMaxM3VLRotaryEmbedding(configured(MiniMaxM3VLTextConfig, config))
        rope = yc.from_config(config)
        assert rope == yc.Rope(128, 5e6, rotary_dim=64)
        same_frequencies(rope, module)

    def test_a_number_that_nothing_reads_is_warned_of(self):
        module = MiniMaxM3VLRotaryEmbedding(configured(MiniMaxM3VLTextConfig, MINIMAX_M3))
        with pytest.warns(yc.ConfigWarning, match="rotary_dim is 64, which .* does not read: its module turns 128"):
            rope = yc.from_config(MINIMAX_M3)
        assert rope == yc.Rope(128, 5e6)
        same_frequencies(rope, module)


class TestAPartThatTheClassDoesNotRead:
    """Without a scaling a Llama turns whole heads whatever part its file asks for; its frequencies of a scaling are of the part."""

    def test_it_is_read_as_the_file_says_and_warned_of(self):
        with pytest.warns(
            yc.ConfigWarning, match="makes rotary_dim 32 of head_dim 64.* 'llama' turns all 64"
        ) as caught:
            assert yc.from_config(HALF_OF_A_LLAMA) == yc.Rope(64, rotary_dim=32)
        assert caught[0].message.finding
        assert len(LlamaRotaryEmbedding(configured(LlamaConfig, HALF_OF_A_LLAMA)).inv_freq) == 32

    def test_with_a_scaling_the_frequencies_are_those_of_the_part(self):
        file = HALF_OF_A_LLAMA | {"max_position_embeddings": 64, "rope_scaling": LINEAR}
        same_frequencies(yc.from_config(file), LlamaRotaryEmbedding(configured(LlamaConfig, file)))

    @pytest.mark.parametrize("file", [{"partial_rotary_factor": 1.0}, {"model_type": "nemotron"}])
    def test_nothing_is_said_of_a_whole_head_or_where_the_class_reads_it(self, file):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yc.from_config(HALF_OF_A_LLAMA | file)


def test_a_dict_without_a_base_has_that_of_all_classes_and_not_that_of_a_file_without_a_dict():
    file = {"model_type": "ministral3", "head_dim": 128, "max_position_embeddings": 4096, "rope_parameters": LINEAR}
    with pytest.warns(yc.ConfigWarning, match="rope_theta is missing.* is 10000"):
        rope = yc.from_config(file)
    assert rope.base == 10000
    same_frequencies(rope, Ministral3RotaryEmbedding(configured(Ministral3Config, file)))


def test_a_part_that_the_class_puts_into_a_dict_is_that_of_the_proportional_method():
    full = {"rope_type": "proportional", "rope_theta": 1e6, "factor": 2.0}
    dicts = {"full_attention": full, "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}
    file = {"model_type": "neomme", "rope_parameters": dicts, "head_dim": 64, "num_hidden_layers": 6}
    rope = yc.from_config(file, "full_attention")
    assert rope.scaling == yc.Proportional(0.25, 2.0)
    same_frequencies(rope, NeoMMERotaryEmbedding(configured(NeoMMEConfig, file)), "full_attention_inv_freq")


class TestMuse:
    """Its list of bases tells only which layers turn."""

    FILE = (("model_type", "muse_glimmer_text"), ("head_dim", 128), ("num_hidden_layers", 4), ("rope_theta", 20000.0))

    def test_the_base_is_that_of_the_rope_dict_and_another_in_the_list_is_warned_of(self):
        file = dict(self.FILE) | {"layer_rope_theta": [500000.0, 0, 500000.0, 500000.0]}
        with pytest.warns(yc.ConfigWarning, match="layer_rope_theta has 500000.*turns at base 20000"):
            ropes = yc.ropes_from_config(file)
        assert [rope is not None for rope in ropes.layers] == [True, False, True, True]
        assert {rope.base for rope in ropes.layers if rope} == {20000.0}
        same_frequencies(ropes.layers[0], MuseGlimmerTextRotaryEmbedding(configured(MuseGlimmerTextConfig, file)))


class TestMoonshine:
    """An encoder and a decoder of one configuration."""

    def test_each_part_has_its_layers_and_the_encoders_heads(self):
        config = {"model_type": "moonshine", "hidden_size": 64, "rope_theta": 1e4, "encoder_num_hidden_layers": 2}
        config |= {"encoder_num_attention_heads": 4, "decoder_num_attention_heads": 4, "decoder_num_hidden_layers": 1}
        ropes = yc.ropes_from_config(config)
        model = MoonshineModel(configured(MoonshineConfig, config | {"intermediate_size": 8, "vocab_size": 8}))
        assert ropes.layer_types == ("encoder", "encoder", "decoder")
        assert (len(model.encoder.layers), len(model.decoder.layers)) == (2, 1)
        assert set(ropes.values()) == {yc.Rope(16, rotary_dim=14, interleaved=True)}
        same_frequencies(ropes["encoder"], model.encoder.rotary_emb)
        same_frequencies(ropes["decoder"], model.decoder.rotary_emb)

    def test_heads_of_two_numbers_are_refused_since_its_class_gives_both_the_encoders(self):
        config = {"model_type": "moonshine", "hidden_size": 64, "rope_theta": 1e4, "encoder_num_attention_heads": 4}
        model = MoonshineModel(configured(MoonshineConfig, config | {"intermediate_size": 8, "vocab_size": 8}))
        assert model.decoder.layers[0].self_attn.head_dim == 16
        with pytest.raises(yc.ConfigError, match="encoder_num_attention_heads is 4 and decoder_num_attention_heads 8"):
            yc.ropes_from_config(config)
