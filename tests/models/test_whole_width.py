"""EfficientLoFTR, which turns its whole width by row and column before it is split into heads."""

import math
import warnings

import numpy as np
import pytest
import torch
from compared import difference
from facts import single_and_quiet
from read_in_class import HANDED
from rotary_classes import text_models
from running import NotRun, run
from tiny import tiny_config
from transformers import EfficientLoFTRConfig
from transformers.models.efficientloftr import modeling_efficientloftr as loftr
from transformers.models.vjepa2.modeling_vjepa2 import rotate_queries_or_keys

import yarncore as yc
from yarncore.configs.model_ropes import ModelRopes
from yarncore.reports.description import describe

WIDER = {"hidden_size": 512, "out_features": [64, 64, 128, 512]}


def read(config):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", yc.ConfigWarning)
        return yc.ropes_from_config(config)


@pytest.mark.parametrize(
    "given",
    [
        {},
        WIDER | {"rope_parameters": {"rope_type": "default", "rope_theta": 777.0}},
        {"num_attention_heads": 4, "partial_rotary_factor": 2.0},
        {"num_attention_heads": 16, "rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 8.0}},
    ],
    ids=["default", "wider, another base", "4 heads", "16 heads"],
)
def test_every_width_that_runs_is_read_as_its_model_turns(given):
    rotary = text_models()["efficientloftr"]
    config = tiny_config(EfficientLoFTRConfig, given)
    with single_and_quiet():
        layers = run(rotary, config)
    ropes = read(config.to_dict())
    assert difference(ropes, layers, None, None, 64) is None
    (rope,) = set(ropes.values())
    other = yc.Rope(rope.head_dim, rope.base, sections=rope.sections, section_order="interleaved", interleaved=True)
    changed = ModelRopes(dict.fromkeys(ropes, other), ropes.layer_types, ropes.evidence)
    assert "pair 2 turns by" in difference(changed, layers, None, None, 64)


def test_the_models_own_positions_turn_q_and_k_as_the_rope_does(rng):
    """Nothing of the model is replaced here: 3 x 5 features, counted by its own module."""
    config = EfficientLoFTRConfig()
    cos, sin = loftr.EfficientLoFTRRotaryEmbedding(config)(torch.zeros(1, 256, 12, 20))
    q, k = (torch.from_numpy(rng.standard_normal((1, 15, 1, 256)).astype(np.float32)) for _ in "qk")
    theirs = loftr.apply_rotary_pos_emb(q, k, cos.reshape(1, 15, 256), sin.reshape(1, 15, 256), unsqueeze_dim=2)
    row, column = np.divmod(np.arange(15), 5)
    (rope,) = set(read(config).values())
    ours = rope.rotate(q, k, np.stack([row + 1, column + 1])[:, None], heads_axis=2)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=2e-5)
    assert HANDED["efficientloftr"] == ("row + 1", "column + 1")


def test_the_mapping_tells_that_a_whole_width_turns():
    config = EfficientLoFTRConfig().to_dict()
    ropes = read(config)
    assert (ropes.heads, ropes.key_heads, ropes.split_into, len(ropes.layers)) == (1, 1, 8, 4)
    assert ropes.positions == ("row + 1", "column + 1")
    assert ropes.cache_layers == ()
    assert "turned before they are split into 8 heads" in repr(ropes)
    with (
        pytest.warns(yc.ConfigWarning, match="section by section: row [+] 1, column [+] 1"),
        pytest.warns(yc.ConfigWarning, match="q and k of 256 elements whole, before they are split into 8 heads"),
    ):
        rope = yc.from_config(config)
    assert rope == yc.Rope(256, sections=(64, 64), section_order="axial_interleaved", interleaved=True)


@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
def test_attentions_scale_is_that_of_a_head_behind_the_split():
    described = describe(EfficientLoFTRConfig().to_dict()).as_dict()
    assert (described["head_dim"], described["split_into"]) == (256, 8)
    assert described["softmax_scale"] == pytest.approx(1 / math.sqrt(32))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"partial_rotary_factor": 2.0}, "partial_rotary_factor is 2; 4 is expected"),
        ({"num_attention_heads": 4}, "partial_rotary_factor is 4; 2 is expected"),
        ({"head_dim": 64}, "head_dim is 64; 32, the width of 256 split into 8 heads, is expected"),
    ],
)
def test_what_no_model_runs_with_is_refused(given, said):
    rotary = text_models()["efficientloftr"]
    config = tiny_config(EfficientLoFTRConfig, given)
    with single_and_quiet(), pytest.raises(NotRun, match="its run raises"):
        run(rotary, config)
    with pytest.raises(yc.ConfigError, match=said):
        read(config.to_dict())


@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
def test_another_base_is_written_and_the_factor_of_many_heads_stays():
    config = EfficientLoFTRConfig(num_attention_heads=16, partial_rotary_factor=8.0).to_dict()
    rope = yc.Rope(256, 5e5, sections=(64, 64), section_order="axial_interleaved", interleaved=True)
    written = yc.to_config(rope, config=config)
    assert written["rope_parameters"] == {"rope_type": "default", "rope_theta": 5e5, "partial_rotary_factor": 8.0}
    assert yc.from_config(written) == rope


@pytest.mark.parametrize("keys", [{"partial_rotary_factor": 1e308}, {"hidden_size": 258}, {"num_attention_heads": 7}])
def test_widths_that_do_not_fit_are_refused(keys):
    with pytest.raises(yc.ConfigError, match=r"4 is expected|a width is expected that both they and 4 divide"):
        read({"model_type": "efficientloftr", **keys})


def test_another_method_is_refused_by_name():
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4, "partial_rotary_factor": 4.0}
    with pytest.raises(yc.ConfigError, match="rope_type is 'linear'; default is expected: of the other methods"):
        read({"model_type": "efficientloftr", "rope_parameters": rope})


def test_what_vjepa2_does_to_a_pair_is_no_rotation():
    """The reason of its refusal: a pair's length changes, for its two elements have angles of different frequencies."""
    turned = rotate_queries_or_keys(torch.ones(1, 1, 1, 8), torch.tensor([3.0])).reshape(4, 2).norm(dim=-1)
    assert ((turned - math.sqrt(2)).abs() > 1e-2).all()
