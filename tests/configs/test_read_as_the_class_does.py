"""Files whose class in transformers does something of its own with their keys: what is read is what its module computes."""

import copy
import warnings

import numpy as np
import pytest
import torch
from transformers import Cohere2MoeConfig, DeepseekV4Config
from transformers.models.cohere2_moe.modeling_cohere2_moe import Cohere2MoeRotaryEmbedding
from transformers.models.deepseek_v4.modeling_deepseek_v4 import DeepseekV4RotaryEmbedding

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
