"""Positions per section against the classes of transformers that have them, and against themselves."""

import numpy as np
import pytest
import torch
from transformers.models.ernie4_5_vl_moe import modeling_ernie4_5_vl_moe as ernie
from transformers.models.ernie4_5_vl_moe.configuration_ernie4_5_vl_moe import Ernie4_5_VLMoeTextConfig
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLTextConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLRotaryEmbedding
from transformers.models.qwen2_vl.configuration_qwen2_vl import Qwen2VLTextConfig, Qwen2VLVisionConfig
from transformers.models.qwen2_vl.modeling_qwen2_vl import (
    Qwen2VLRotaryEmbedding,
    Qwen2VLVisionRotaryEmbedding,
    apply_rotary_pos_emb,
    apply_rotary_pos_emb_vision,
)
from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLTextConfig
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextRotaryEmbedding

import yarncore as yc

TEXT_MODELS = {
    "qwen2-vl": (Qwen2VLTextConfig, Qwen2VLRotaryEmbedding, [16, 24, 24]),
    "qwen2.5-vl": (Qwen2_5_VLTextConfig, Qwen2_5_VLRotaryEmbedding, [16, 24, 24]),
    "qwen3-vl": (Qwen3VLTextConfig, Qwen3VLTextRotaryEmbedding, [24, 20, 20]),
}
SCALINGS = {
    "default": {"rope_type": "default"},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
    "linear": {"rope_type": "linear", "factor": 2.0},
}


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("model", TEXT_MODELS)
def test_text_models_of_transformers(model, scaling, rng):
    config_class, rotary_class, sections = TEXT_MODELS[model]
    parameters = {"rope_theta": 1e6, "mrope_section": sections} | SCALINGS[scaling]
    config = config_class(
        hidden_size=512, num_attention_heads=4, num_key_value_heads=2, head_dim=128, rope_parameters=parameters,
        max_position_embeddings=131072,
    )  # fmt: skip
    q = torch.from_numpy(rng.standard_normal((2, 4, 7, 128)).astype(np.float32))
    k = torch.from_numpy(rng.standard_normal((2, 2, 7, 128)).astype(np.float32))
    positions = torch.from_numpy(rng.integers(0, 300, (3, 2, 7)))
    theirs = apply_rotary_pos_emb(q, k, *rotary_class(config)(q, positions))
    rope = yc.from_config(config)
    assert rope.sections == tuple(sections)
    for ours, expected in zip(rope.rotate(q, k, positions, heads_axis=-3), theirs, strict=True):
        assert torch.allclose(ours, expected, rtol=0, atol=3e-4)  # their angles are float32


def test_axial_vision_model_of_transformers(rng):
    config = Qwen2VLVisionConfig(embed_dim=320, num_heads=4)
    q, k = (torch.from_numpy(rng.standard_normal((9, 4, 80)).astype(np.float32)) for _ in range(2))
    positions = torch.from_numpy(rng.integers(0, 60, (9, 2)))  # height and width of each patch
    theirs = apply_rotary_pos_emb_vision(q, k, *Qwen2VLVisionRotaryEmbedding(config)(q, positions))
    rope = yc.Rope(80, sections=(20, 20), section_order="axial")
    for ours, expected in zip(rope.rotate(q, k, positions.T), theirs, strict=True):
        assert torch.allclose(ours, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("scaling", [None, yc.YaRN(4.0, 64), yc.PositionInterpolation(2.0)])
def test_axial_is_a_rope_for_each_axis(scaling, interleaved, rng):
    """Three axes of a video, each with frequencies of its own."""
    rope = yc.Rope(32, scaling=scaling, sections=(4, 6, 6), section_order="axial", interleaved=interleaved)
    assert eval(repr(rope), vars(yc)) == rope
    x = rng.standard_normal((2, 5, 3, 32))
    positions = rng.integers(0, 100, (3, 2, 5))
    y = rope.rotate(x, None, positions)
    first = 0
    for axis, pairs in enumerate((4, 6, 6)):
        index = np.arange(first, first + pairs)
        columns = np.stack([2 * index, 2 * index + 1], -1).ravel() if interleaved else np.r_[index, index + 16]
        alone = yc.Rope(2 * pairs, scaling=scaling, interleaved=interleaved)
        assert np.array_equal(y[..., columns], alone.rotate(x[..., columns], None, positions[axis]))
        first += pairs


def test_axial_needs_sections():
    with pytest.raises(ValueError, match="section_order is"):
        yc.Rope(32, section_order="axial")


def test_height_and_width_in_turn_and_time_last_as_ernie_has_it(rng):
    config = Ernie4_5_VLMoeTextConfig(
        hidden_size=512, num_attention_heads=4, num_key_value_heads=2,
        rope_parameters={"rope_theta": 5e5, "rope_type": "default", "mrope_section": [22, 22, 20]},
    )  # fmt: skip
    q = torch.from_numpy(rng.standard_normal((2, 4, 7, 128)).astype(np.float32))
    k = torch.from_numpy(rng.standard_normal((2, 2, 7, 128)).astype(np.float32))
    positions = torch.from_numpy(rng.integers(0, 300, (3, 2, 7)))  # time, height, width
    theirs = ernie.apply_rotary_pos_emb(q, k, *ernie.Ernie4_5_VLMoeTextRotaryEmbedding(config)(q, positions))
    rope = yc.Rope(128, 5e5, sections=(20, 22, 22), section_order="time_last", interleaved=True)
    assert eval(repr(rope), vars(yc)) == rope
    for ours, expected in zip(rope.rotate(q, k, positions, heads_axis=-3), theirs, strict=True):
        assert torch.allclose(ours, expected, rtol=0, atol=3e-4)  # their angles are float32


@pytest.mark.parametrize("sections", [None, (4,), (4, 6, 5)])
def test_time_last_needs_others_of_equal_length(sections):
    with pytest.raises(ValueError, match="section"):
        yc.Rope(8 if sections == (4,) else 30, sections=sections, section_order="time_last")


@pytest.mark.parametrize("order", ["contiguous", "interleaved", "axial"])
def test_a_section_of_no_pairs_turns_nothing(order, rng):
    """Its positions may be anything."""
    x = rng.standard_normal((5, 2, 4))
    positions = rng.integers(0, 100, (3, 5))
    elsewhere = np.stack([positions[0], positions[1], positions[2] + 7])
    rope = yc.Rope(4, sections=(1, 1, 0), section_order=order)
    assert np.array_equal(rope.rotate(x, None, positions), rope.rotate(x, None, elsewhere))
    assert np.array_equal(
        rope.rotate(x, None, positions), yc.Rope(4, sections=(1, 1), section_order=order).rotate(x, None, positions[:2])
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_and_negative_positions_in_sections(dtype, instruction_set, rng):
    """Also some beyond 2^32, and equal ones as in text: the bits of the generic road."""
    rope = yc.Rope(128, sections=(16, 24, 24))
    x = rng.standard_normal((6, 2, 128)).astype(dtype)
    positions = np.array([[5, -5, 2**40, 7, 0, -(2**33)], [1, 2, -3, 7, 0, 2**31], [9, 9, 9, 7, 0, 2**32 - 1]])
    native = rope.rotate(x, None, positions, backend="native")
    short = rope.rotate(x, None, positions)
    assert np.array_equal(short, native)
    assert np.allclose(rope.rotate(x, None, positions, backend="generic"), native, rtol=0, atol=3e-7)
    exact = rope.rotate(x.astype(np.float64), None, positions)
    assert np.allclose(native, exact, rtol=0, atol=1e-6)
