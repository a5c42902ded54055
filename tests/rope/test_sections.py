"""Positions per section against the classes of transformers that have them, and against themselves."""

import array_api_strict
import dask.array
import jax
import mlx.core as mx
import numpy as np
import pytest
import torch
from transformers.models.ernie4_5_vl_moe import modeling_ernie4_5_vl_moe as ernie
from transformers.models.ernie4_5_vl_moe.configuration_ernie4_5_vl_moe import Ernie4_5_VLMoeTextConfig
from transformers.models.kimi_k25 import modeling_kimi_k25 as kimi
from transformers.models.kimi_k25.configuration_kimi_k25 import Kimi_K25VisionConfig
from transformers.models.pixtral import modeling_pixtral as pixtral
from transformers.models.pixtral.configuration_pixtral import PixtralVisionConfig
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


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("scaling", [None, yc.YaRN(4.0, 64), yc.DynamicNTK(4.0, 64)])
def test_axial_interleaved_is_a_rope_for_each_axis_dealt_out(scaling, interleaved, rng):
    rope = yc.Rope(24, scaling=scaling, sections=(4, 4, 4), section_order="axial_interleaved", interleaved=interleaved)
    assert eval(repr(rope), vars(yc)) == rope
    x = rng.standard_normal((2, 5, 3, 24))
    positions = rng.integers(0, 100, (3, 2, 5))
    y = rope.rotate(x, None, positions, length=100)
    alone = yc.Rope(8, scaling=scaling, interleaved=interleaved)
    for axis in range(3):
        index = np.arange(axis, 12, 3)
        columns = np.stack([2 * index, 2 * index + 1], -1).ravel() if interleaved else np.r_[index, index + 12]
        assert np.array_equal(y[..., columns], alone.rotate(x[..., columns], None, positions[axis], length=100))


@pytest.mark.parametrize("scaling", [None, yc.YaRN(4.0, 64), yc.DynamicNTK(4.0, 64)])
def test_grouped_is_interleaved_with_the_pairs_of_each_section_together(scaling, rng):
    grouped, dealt = (
        yc.Rope(16, scaling=scaling, sections=(4, 4), section_order=order, interleaved=True)
        for order in ("grouped", "interleaved")
    )
    assert eval(repr(grouped), vars(yc)) == grouped
    x = rng.standard_normal((2, 5, 3, 8, 2))
    positions = rng.integers(0, 100, (2, 2, 5))
    together = [0, 2, 4, 6, 1, 3, 5, 7]
    expected = dealt.rotate(x.reshape(2, 5, 3, 16), None, positions, length=90).reshape(x.shape)[..., together, :]
    y = grouped.rotate(x[..., together, :].reshape(2, 5, 3, 16), None, positions, length=90)
    assert np.array_equal(y.reshape(x.shape), expected)


@pytest.mark.parametrize("order", ["grouped", "axial_interleaved"])
def test_dealt_out_frequencies_are_the_same_in_every_namespace(order, xp):
    rope = yc.Rope(16, sections=(4, 4), section_order=order, scaling=yc.DynamicNTK(4.0, 64))
    expected = rope.at(200).inverse_frequencies
    found = rope.at(200, xp).inverse_frequencies
    assert np.allclose(np.asarray(found), expected, rtol=1e-6, atol=0)


TOWERS = {
    "pixtral": (PixtralVisionConfig(), pixtral.PixtralVisionRotaryEmbedding, pixtral.apply_rotary_pos_emb, "grouped", False),
    "kimi": (
        Kimi_K25VisionConfig(), kimi.Kimi_K25VisionRotaryEmbedding, kimi.apply_rotary_pos_emb_vision, "axial_interleaved", True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("model", TOWERS)
def test_pictures_of_transformers_whose_pairs_are_dealt_out(model, rng):
    config, rotary_class, function, order, columns_first = TOWERS[model]
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    q = torch.from_numpy(rng.standard_normal((9, 4, dim)).astype(np.float32))
    positions = torch.from_numpy(rng.integers(0, 60, (9, 2)))  # row and column of each patch
    cos, sin = rotary_class(config)(q, positions)
    theirs = (
        function(q, q, cos, sin)[0] if model == "kimi" else function(q[None], q[None], cos[None], sin[None], 2)[0][0]
    )
    rope = yc.Rope(dim, sections=(dim // 4, dim // 4), section_order=order)
    ours = rope.rotate(q, None, (positions.flip(-1) if columns_first else positions).T)
    assert torch.allclose(ours, theirs, rtol=0, atol=2e-5)


@pytest.mark.parametrize("order", ["axial", "axial_interleaved", "grouped"])
def test_orders_that_need_sections_say_so(order):
    with pytest.raises(ValueError, match="section_order is"):
        yc.Rope(32, section_order=order)


@pytest.mark.parametrize("order", ["axial_interleaved", "grouped"])
def test_what_is_dealt_out_has_sections_of_equal_length(order):
    with pytest.raises(ValueError, match=r"sections is \(4, 12\); sections of equal length are expected"):
        yc.Rope(32, sections=(4, 12), section_order=order)


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


SECTIONED = yc.Rope(16, sections=(4, 3, 1), section_order="interleaved", scaling=yc.YaRN(4.0, 64))
COUNTS = {
    "None": None,
    "an int": 70_000,
    "a negative int": -3,
    "a NumPy integer": np.int32(5),
    "a 0-d array": np.array(9),
}
ROADS = {
    "NumPy": lambda q, k, count: SECTIONED.rotate(q, k, count, heads_axis=-2),
    "NumPy, a rotation": lambda q, k, count: SECTIONED.at().rotate(q, k, count, heads_axis=-2),
    "NumPy in place": lambda q, k, count: SECTIONED.rotate_(q.copy(), k.copy(), count, heads_axis=-2),
    "NumPy, array operations": lambda q, k, count: SECTIONED.rotate(q, k, count, heads_axis=-2, backend="generic"),
    "NumPy, the checked road": lambda q, k, count: SECTIONED.rotate(q, k, count, heads_axis=-2, backend="native"),
    "torch": lambda q, k, count: SECTIONED.rotate(torch.from_numpy(q), torch.from_numpy(k), count, heads_axis=-2),
    "torch in place": lambda q, k, count: SECTIONED.rotate_(
        torch.from_numpy(q.copy()), torch.from_numpy(k.copy()), count, heads_axis=-2
    ),
    "torch, recorded": lambda q, k, count: [
        y.detach() for y in SECTIONED.rotate(torch.from_numpy(q).requires_grad_(), torch.from_numpy(k), count, heads_axis=-2)
    ],
    "torch, compiled": lambda q, k, count: torch.compile(
        lambda q, k: SECTIONED.rotate(q, k, count, heads_axis=-2), fullgraph=True, backend="aot_eager"
    )(torch.from_numpy(q), torch.from_numpy(k)),
    "torch, traced": lambda q, k, count: torch.jit.trace(
        lambda q, k: SECTIONED.rotate(q, k, count, heads_axis=-2), (torch.zeros(2, 5, 4, 16), torch.zeros(2, 5, 2, 16))
    )(torch.from_numpy(q), torch.from_numpy(k)),
    "torch, mapped": lambda q, k, count: torch.func.vmap(
        lambda q, k: SECTIONED.rotate(q, k, count, heads_axis=-2)
    )(torch.from_numpy(q), torch.from_numpy(k)),
    "JAX": lambda q, k, count: SECTIONED.rotate(jax.numpy.asarray(q), jax.numpy.asarray(k), count, heads_axis=-2),
    "JAX, jitted": lambda q, k, count: jax.jit(lambda q, k: SECTIONED.rotate(q, k, count, heads_axis=-2))(q, k),
    "JAX, the extension": lambda q, k, count: SECTIONED.rotate(
        jax.numpy.asarray(q), jax.numpy.asarray(k), count, heads_axis=-2, backend="native"
    ),
    "MLX": lambda q, k, count: SECTIONED.rotate(mx.array(q), mx.array(k), count, heads_axis=-2),
    "array_api_strict": lambda q, k, count: SECTIONED.rotate(
        array_api_strict.asarray(q), array_api_strict.asarray(k), count, heads_axis=-2
    ),
    "Dask": lambda q, k, count: SECTIONED.rotate(
        dask.array.from_array(q, chunks=(1, 2, 4, 16)), dask.array.from_array(k, chunks=(1, 2, 2, 16)), count, heads_axis=-2
    ),
}  # fmt: skip


@pytest.mark.parametrize("given", COUNTS)
@pytest.mark.parametrize("road", ROADS)
def test_a_count_is_the_same_for_every_section(road, given, rng):
    count = COUNTS[given]
    if road == "torch, compiled" and count is not None:
        count = int(count)  # torch.compile does not know what NumPy closes over
    q, k = (rng.standard_normal((2, 5, heads, 16), dtype=np.float32) for heads in (4, 2))
    counted = np.broadcast_to(np.arange(5) + (0 if count is None else count), (3, 2, 5))
    expected = SECTIONED.rotate(q, k, counted, heads_axis=-2)
    for y, e in zip(ROADS[road](q, k, count), expected, strict=True):
        assert np.max(np.abs(np.asarray(y) - e)) <= 2.0**-21 * np.max(np.abs(e))


@pytest.mark.parametrize("rope", [SECTIONED, yc.Rope(16)])
def test_an_offset_that_is_traced_is_a_count(rope, rng):
    q = rng.standard_normal((2, 5, 4, 16), dtype=np.float32)
    expected = rope.rotate(q, None, 7, heads_axis=-2)
    compiled = torch.compile(
        lambda q, offset: rope.rotate(q, None, offset, heads_axis=-2), fullgraph=True, backend="aot_eager"
    )
    jitted = jax.jit(lambda q, offset: rope.rotate(q, None, offset, heads_axis=-2))
    for y in (compiled(torch.from_numpy(q), torch.tensor(7)), jitted(q, 7)):
        assert np.max(np.abs(np.asarray(y) - expected)) <= 1e-6


def test_slots_of_keys_in_sections_may_be_counted(rng):
    keys = rng.standard_normal((4, 3, 2, 16), dtype=np.float32)
    old, new = yc.Rope(16, sections=(4, 3, 1)).at(), yc.Rope(16, base=500, sections=(4, 3, 1)).at()
    counted, placed = keys.copy(), keys.copy()
    yc.rerotate_(counted, 2, old, new, slots=[7, 1, 3])
    yc.rerotate_(placed, np.broadcast_to(np.array([1, 1, 0]) + 2, (3, 3)), old, new, slots=[7, 1, 3])
    assert np.array_equal(counted, placed)


def test_cos_and_sin_have_a_position_for_each_section():
    cos, _ = SECTIONED.cos_sin(np.arange(15).reshape(3, 5))
    assert cos.shape == (5, 8)
    with pytest.raises(ValueError, match="with sections it has one more axis"):
        SECTIONED.cos_sin(np.arange(5))
