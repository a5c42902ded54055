"""identify on tables of cos and sin, on functions and on live modules."""

import numpy as np
import pytest
import torch
from transformers import Gemma3TextConfig, LlamaConfig
from transformers.models.gemma3.modeling_gemma3 import Gemma3RotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

import yarncore as yc

QWEN = yc.Rope(128, 1e6, yc.YaRN(4.0, 32768))
LLAMA3 = yc.Rope(128, 5e5, yc.Llama3(8.0, 8192))
ROPES = {"plain": yc.Rope(64), "yarn": QWEN, "llama3": LLAMA3, "pi": yc.Rope(64, 1e4, yc.PositionInterpolation(8.0))}


@pytest.mark.parametrize("rows", [64, 1024])
@pytest.mark.parametrize("name", ROPES)
def test_how_angles_were_made_is_told(name, rows):
    rope, positions = ROPES[name], np.arange(rows)
    exact = yc.identify(rope.cos_sin(positions, dtype=np.float32))
    assert (exact.rope, exact.phase) == (rope, "exact")
    product = yc.identify(yc.engines.cos_sin(rope, positions))
    assert (product.rope, product.phase) == (rope, "float32-product")
    recurrence = yc.identify(yc.engines.cos_sin(rope, positions, phase="float32-recurrence"))
    assert (recurrence.rope, recurrence.phase) == (rope, "float32-recurrence")


@pytest.mark.parametrize("position_type", ["float32", "bfloat16", "float16"])
def test_the_type_that_positions_were_rounded_to_is_told(position_type):
    positions = np.arange(0, 4096)
    found = yc.identify(yc.engines.cos_sin(QWEN, positions, position_type=position_type))
    assert (found.rope, found.position_type) == (QWEN, position_type)
    assert bool(found.roundings) == (position_type != "float32")


@pytest.mark.parametrize("layout", ["half", "repeated", "pairs"])
def test_the_layout_is_told_as_rotate_by_has_it(layout):
    tables = QWEN.cos_sin(np.arange(32), dtype=np.float32)
    laid_out = {
        "half": lambda x: x, "repeated": lambda x: np.concatenate([x, x], -1), "pairs": lambda x: np.repeat(x, 2, -1)
    }[layout]  # fmt: skip
    found = yc.identify(tuple(map(laid_out, tables)))
    assert (found.layout, found.rope) == (layout, QWEN)


def test_forms_of_one_table_are_one_table():
    cos, sin = QWEN.cos_sin(np.arange(40), dtype=np.float32)
    of_vllm, of_meta = np.concatenate([cos, sin], axis=-1), torch.complex(torch.tensor(cos), torch.tensor(sin))
    for x in ((cos, sin), of_vllm, of_meta, {"cos": cos, "sin": sin}, (cos[None], sin[None])):
        assert yc.identify(x).rope == QWEN


@pytest.mark.parametrize(
    "positions", [np.arange(4096, 4160), np.array([0, 1, 2, 5, 9, 17, 400, 401]), np.arange(-32, 0)]
)
def test_rows_may_stand_anywhere(positions):
    found = yc.identify(QWEN.cos_sin(positions, dtype=np.float32), positions=positions)
    assert found.rope == QWEN


AMPLITUDES = {
    "YaRN's": (1.1386294361119891, yc.YaRN(4.0, 32768), ""),
    "none": (1.0, yc.YaRN(4.0, 32768, attention_factor=1.0), "no temperature in cos and sin"),
    "DeepSeek's ratio": ((0.0707 * np.log(4) + 1) / (0.1 * np.log(4) + 1), yc.YaRN(4.0, 32768, mscale=0.707, mscale_all_dim=1.0), ""),
    "given": (0.8, yc.YaRN(4.0, 32768, attention_factor=0.8), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", AMPLITUDES)
def test_the_temperature_is_read_off_the_amplitude(name):
    amplitude, scaling, note = AMPLITUDES[name]
    cos, sin = yc.Rope(128, 1e6, yc.YaRN(4.0, 32768, attention_factor=1.0)).cos_sin(np.arange(64), dtype=np.float64)
    found = yc.identify((cos * amplitude, sin * amplitude))
    assert found.rope.scaling == scaling
    assert found.attention_factor == pytest.approx(amplitude, rel=1e-6)
    assert note in found.readings[0].note


def test_a_temperature_that_is_there_twice_or_that_nothing_explains_is_said():
    twice = QWEN.at().attention_factor
    cos, sin = (table * twice for table in QWEN.cos_sin(np.arange(64)))
    assert "twice" in yc.identify((cos, sin)).readings[0].note
    plain = yc.identify(tuple(1.5 * table for table in yc.Rope(64).cos_sin(np.arange(64))))
    assert plain.method == "plain" and any("amplitude 1.5" in note for note in plain.notes)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_tables_in_16_bits_tell_as_much_as_they_hold(dtype):
    cos, sin = (table.to(dtype) for table in yc.engines.cos_sin(QWEN, torch.arange(256)))
    found = yc.identify((cos, sin))
    assert found.rope == QWEN and found.stored == str(dtype).removeprefix("torch.")


def test_a_negated_sine_turns_backwards():
    cos, sin = QWEN.cos_sin(np.arange(32))
    found = yc.identify((cos, -sin))
    assert found.backwards and found.rope == QWEN


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(
    ("rotary_dim", "rotary_start", "reversed"), [(64, 0, False), (32, 0, False), (32, 16, False), (64, 0, True)]
)
def test_a_function_is_asked_with_unit_vectors(interleaved, rotary_dim, rotary_start, reversed):
    rope = yc.Rope(64, 1e4, yc.YaRN(16.0, 4096), rotary_dim, interleaved, rotary_start=rotary_start, reversed=reversed)
    found = yc.identify(lambda q, k, positions: rope.rotate(q, k, positions, heads_axis=-2), head_dim=64)
    assert found.rope.scaling == rope.scaling and found.rope.head_dim == rotary_dim
    assert (found.interleaved, found.backwards) == (interleaved, reversed)
    assert any(f"32 of 64 elements turn, from element {rotary_start}" in note for note in found.notes) == (
        rotary_dim == 32
    )


def test_a_function_of_torch_without_positions_and_one_that_turns_k_otherwise():
    rope = yc.Rope(64, 1e4)

    def of_torch(q, k):
        return rope.rotate(q, 2 * k, None, heads_axis=-3)

    found = yc.identify(of_torch, head_dim=64, heads_axis=-3, like=torch.zeros(1))
    assert found.rope == rope
    assert not found.same_for_k and "k is rotated otherwise" in str(found)


def test_a_function_that_reorders_is_told(monkeypatch):
    rope = yc.Rope(64, 1e4)

    def reordering(q, k, positions):
        halves = [np.concatenate([x[..., 0::2], x[..., 1::2]], -1) for x in (q, k)]
        return rope.rotate(*halves, positions, heads_axis=-2)

    found = yc.identify(reordering, head_dim=64)
    assert found.rope == rope and found.interleaved and any("another order" in note for note in found.notes)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda q, k, p: (q, k), "no element of q turns"),
        (lambda q, k, p: (), "returned nothing"),
        (lambda q, k, p: (q[..., :4], k), "of shape"),
        (lambda q, k, p: (q @ np.ones((8, 8), np.float32), k), "comes out as several"),
        (lambda q, k, p: (q + 0.3 * p[:, None, None] * q[..., ::-1] * np.arange(8), k), "elements apart"),
    ],
)
def test_a_function_that_does_not_rotate_is_refused(function, words):
    with pytest.raises(ValueError, match=words):
        yc.identify(function, head_dim=8)


def test_each_layer_type_of_a_live_module_is_identified_and_nothing_is_changed():
    config = Gemma3TextConfig(head_dim=64, rope_parameters={
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    })  # fmt: skip
    module = torch.nn.ModuleDict({"rotary_emb": Gemma3RotaryEmbedding(config)})
    before = {name: value.clone() for name, value in module.named_buffers()}
    found = yc.identify(module)
    assert found["rotary_emb:full_attention"].rope == yc.Rope(64, 1e6, yc.PositionInterpolation(8.0))
    assert found["rotary_emb:sliding_attention"].rope == yc.Rope(64, 1e4)
    assert all(each.layout == "repeated" and each.phase == "float32-product" for each in found.values())
    assert all(torch.equal(value, before[name]) for name, value in module.named_buffers())


def test_a_module_that_was_cast_has_rounded_frequencies():
    config = LlamaConfig(head_dim=64, hidden_size=128, num_attention_heads=2, rope_parameters={"rope_type": "default", "rope_theta": 1e4})  # fmt: skip
    (found,) = yc.identify(LlamaRotaryEmbedding(config).bfloat16()).values()
    assert found.rope == yc.Rope(64, 1e4)
    assert found.frequency_type == "bfloat16" and found.position_type != "bfloat16"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("rope_type", ["yarn", "llama3"])
def test_a_module_in_16_bits_keeps_its_scaling(rope_type, dtype):
    keys = {"factor": 8.0, "original_max_position_embeddings": 8192} | (
        {"low_freq_factor": 1.0, "high_freq_factor": 4.0} if rope_type == "llama3" else {}
    )
    config = LlamaConfig(
        head_dim=128, hidden_size=256, num_attention_heads=2, max_position_embeddings=65536,
        rope_parameters={"rope_type": rope_type, "rope_theta": 5e5, **keys},
    )  # fmt: skip
    (found,) = yc.identify(LlamaRotaryEmbedding(config).to(dtype)).values()
    assert found.rope == yc.from_config(config) and found.frequency_type == str(dtype).removeprefix("torch.")


def in_type(rope, positions, dtype):
    """A function that rotates in a type of 16 bits, tables and products."""
    cos, sin = (torch.tensor(table)[None, :, None].to(dtype) for table in yc.engines.cos_sin(rope, positions))

    def rotate(q, k, at):
        halves = [x.chunk(2, -1) for x in (q, k)]
        return tuple(torch.cat([a * cos - b * sin, b * cos + a * sin], -1) for a, b in halves)

    return rotate


OF_16_BITS = {
    "plain": yc.Rope(64), "yarn": QWEN, "llama3": LLAMA3, "pi": ROPES["pi"],
    "untruncated": yc.Rope(64, 150_000, yc.YaRN(32.0, 4096, truncate=False)), "small": yc.Rope(128, 1e7),
}  # fmt: skip


@pytest.mark.parametrize("count", [8, 32])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", OF_16_BITS)
def test_a_function_of_16_bits_at_few_positions_is_known_as_far_as_these_tell(name, dtype, count):
    rope, positions = OF_16_BITS[name], np.arange(count)
    how = {"positions": positions, "like": torch.zeros(1, dtype=dtype)}
    rotate = in_type(rope, positions, dtype)
    found = yc.identify(rotate, head_dim=rope.head_dim, **how)
    assert rope in [each.rope for each in found.readings]
    matched = yc.verify(rotate, rope, **how)
    assert matched, str(matched)
    assert not yc.verify(rotate, yc.Rope(rope.head_dim, 20_000, rope.scaling), **how)


@pytest.mark.parametrize(
    ("x", "positions", "words"),
    [
        ((np.ones((4, 8)), np.ones((4, 7))), None, "the same is expected"),
        ((np.full((4, 8), 0.9), np.random.default_rng(0).uniform(size=(4, 8))), None, "cos\\^2 \\+ sin\\^2"),
        (np.ones((4, 7)), None, "an even number"),
        ((np.ones((4, 8)), np.zeros((4, 8))), [0, 1, 2], "as many"),
        ((np.ones((2, 8)), np.zeros((2, 8))), [1, 1], "twice"),
        ((np.ones((1, 8)), np.zeros((1, 8))), None, "nothing turns"),
        ((np.ones((2, 8)), np.zeros((2, 8))), [100, 200], "tokens apart"),
        ((np.ones((2, 3000)), np.zeros((2, 3000)) + np.arange(3000) * 1e-9), None, "cos has 3000 pairs; up to 2048"),
        (yc.Rope(128).rotate, [0, 0.5, 1], "whole numbers are expected"),
    ],
)
def test_what_is_no_table_of_rotations_is_told(x, positions, words):
    with pytest.raises(ValueError, match=words):
        yc.identify(x, positions=positions)
