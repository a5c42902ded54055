"""yarncore.engines.cos_sin makes the tables that transformers and ggml make."""

import warnings

import numpy as np
import pytest
import torch
from golden_files import records
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

import yarncore as yc

ULP = 2**-24  # of float32 below 1
POSITIONS = [0, 1, 2, 100, 4095, 4096, 131071, 1_000_000]


def rope_of(record):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", yc.ConfigWarning)
        return yc.from_config(record["config"], record["layer_type"])


# transformers 5.24 looks for `truncate` beside the dicts of layer types, 5.23 that made the record nowhere.
OF_TRANSFORMERS = [r for r in records("hf") if not r["name"].startswith("nested yarn truncate=false")]


@pytest.mark.parametrize("record", OF_TRANSFORMERS, ids=lambda r: r["name"])
def test_frequencies_are_those_of_transformers_bit_for_bit_through_torch_and_to_some_ulps_through_numpy(record):
    """At position 1 an angle is the frequency."""
    rope, length = rope_of(record), record["seq_len"] or 1
    theirs = np.array(record["inv_freq"], dtype=np.float32)
    through_torch = yc.engines.angles(rope, torch.tensor([1]), length=length)[0].numpy()
    assert (through_torch == theirs).all()
    through_numpy = yc.engines.angles(rope, [1], length=length)[0]
    # A power of base one ulp aside, and a blend of two such.
    assert (np.abs(through_numpy - theirs) <= 4 * ULP * theirs).all()


LLAMAS = {
    "plain": {"rope_type": "default", "rope_theta": 5e5},
    "linear": {"rope_type": "linear", "rope_theta": 1e4, "factor": 8.0},
    "yarn": {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 32768},
    "llama3": {
        "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", LLAMAS)
def test_tables_of_a_rotary_module_come_out_bit_for_bit(kind):
    config = LlamaConfig(
        head_dim=128, hidden_size=256, num_attention_heads=2, max_position_embeddings=131072, rope_parameters=LLAMAS[kind]
    )  # fmt: skip
    module, positions = LlamaRotaryEmbedding(config), torch.tensor([POSITIONS])
    cos, sin = module(torch.zeros(1), positions)
    ours = yc.engines.cos_sin(yc.from_config(config), positions)
    assert torch.equal(ours[0], cos[..., :64])
    assert torch.equal(ours[1], sin[..., :64])
    through_numpy = yc.engines.cos_sin(
        yc.from_config(config), positions.numpy(), inverse_frequencies=module.inv_freq.numpy()
    )
    for mine, theirs in zip(through_numpy, (cos, sin), strict=True):
        # torch is an ulp off the exact cosine at most, and the product with m is rounded on both sides.
        assert np.abs(mine - theirs[..., :64].numpy()).max() <= 3 * ULP


OF_GGML = [r for r in records("engines") if r["engine"] == "ggml-org/llama.cpp" and "ext_factor 0.5" not in r["name"]]


@pytest.mark.parametrize("record", OF_GGML, ids=lambda r: r["name"])
def test_the_recurrence_of_ggml_is_met_at_every_position(record):
    rope = ggml_rope(record)
    cos, sin = yc.engines.cos_sin(rope, record["positions"], phase="float32-recurrence")
    amplitude = record["amplitude"]
    for ours, theirs in ((cos, record["cos"]), (sin, record["sin"])):
        # An angle one ulp aside would be off by 2^-8 at 131071; cosines, m and their product are rounded once each.
        assert np.abs(ours - np.array(theirs)).max() <= 2.5 * ULP * max(1.0, amplitude) * 2
    exact = rope.cos_sin(record["positions"], dtype=np.float64)[0]
    assert np.abs(exact - np.array(record["cos"]))[-1].max() > 5e-4


def ggml_rope(record):
    op, g = record["config"]["op"], record["config"].get("gguf", {})
    base = g.get("rope.freq_base", op.get("freq_base"))
    if op["ext_factor"] == 0:
        return yc.Rope(record["rotary_dim"], base, yc.PositionInterpolation(1 / op["freq_scale"]))
    scaling = yc.YaRN(
        g.get("rope.scaling.factor", 1 / op["freq_scale"]), op["n_ctx_orig"],
        beta_fast=g.get("rope.scaling.yarn_beta_fast", op.get("beta_fast")),
        beta_slow=g.get("rope.scaling.yarn_beta_slow", op.get("beta_slow")), attention_factor=record["amplitude"],
    )  # fmt: skip
    return yc.Rope(record["rotary_dim"], base, scaling)


def test_rotating_by_the_table_is_what_the_engine_computes():
    rope = yc.Rope(8, 1e4)
    q = torch.randn(1, 3, 2, 8, generator=torch.Generator().manual_seed(1))
    cos, sin = yc.engines.cos_sin(rope, torch.tensor([7, 8, 100_000]))
    x0, x1 = q[..., :4], q[..., 4:]
    c, s = cos[None, :, None], sin[None, :, None]
    theirs = torch.cat([x0 * c - x1 * s, x1 * c + x0 * s], dim=-1)
    assert torch.equal(yc.rotate_by(q, None, cos, sin, heads_axis=-2), theirs)


@pytest.mark.parametrize("position_type", ["bfloat16", "float16"])
def test_positions_are_rounded_as_torch_rounds_them(position_type):
    positions = torch.arange(60_000)
    dtype = getattr(torch, position_type)
    ours = yc.engines.angles(yc.Rope(2), positions, position_type=position_type)[:, 0]
    assert torch.equal(ours, positions.to(dtype).float())


def test_dynamic_scalings_follow_the_length():
    for scaling, at_twice in (
        (yc.DynamicPositionInterpolation(64), yc.PositionInterpolation(2.0)),
        (yc.DynamicNTK(64, 2.0), yc.NTKAware(3.0)),
        (yc.DynamicYaRN(64), yc.YaRN(2.0, 64)),
        (yc.DynamicYaRN(64, steps="doubling"), yc.YaRN(2.0, 64)),
    ):
        for phase in ("float32-product", "float32-recurrence"):
            ours = yc.engines.cos_sin(yc.Rope(16, 1e4, scaling), [99], phase=phase, length=128)
            static = yc.engines.cos_sin(yc.Rope(16, 1e4, at_twice), [99], phase=phase)
            assert np.array_equal(ours, static)
            short = yc.engines.angles(yc.Rope(16, 1e4, scaling), [99], phase=phase, length=64)
            assert np.array_equal(short, yc.engines.angles(yc.Rope(16, 1e4), [99], phase=phase))


def test_divisors_of_llama3_and_longrope_reach_the_recurrence():
    llama3 = yc.Rope(64, 5e5, yc.Llama3(8.0, 8192))
    long = yc.Rope(
        8, 1e4, yc.LongRoPE(short_factor=[1, 1, 1, 1], long_factor=[1, 2, 4, 8], original_length=64, factor=2)
    )
    for rope, length in ((llama3, None), (long, 64), (long, 65)):
        ours = yc.engines.angles(rope, [3], phase="float32-recurrence", length=length)[0]
        # 32 products, each rounded.
        assert np.allclose(ours, 3 * rope.at(length).inverse_frequencies, rtol=40 * ULP * 2, atol=0)


@pytest.mark.parametrize(
    ("rope", "arguments", "words"),
    [
        ("plain", {}, "rope is str; a Rope"),
        (yc.Rope(8), {"phase": "float64"}, "phase is 'float64'; one of float32-product, float32-recurrence"),
        (yc.Rope(8), {"position_type": "int8"}, "position_type is 'int8'"),
        (yc.Rope(8, sections=[2, 2]), {}, "sections"),
        (yc.Rope(8, 1e4, yc.DynamicNTK(64, 2.0)), {}, "length is required"),
        (yc.Rope(8, 1e4, yc.YaRN(2, 64, ramp="rotations")), {}, "which no engine computes"),
        (yc.Rope(8, 1e4, yc.YaRN(2, 64, truncate=False)), {"phase": "float32-recurrence"}, "ggml rounds"),
        (yc.Rope(8, 1e4, yc.Proportional(0.5)), {"phase": "float32-recurrence"}, "which ggml does not compute"),
        (yc.Rope(8), {"phase": "float32-recurrence", "inverse_frequencies": [1] * 4}, "makes its own"),
        (yc.Rope(8), {"inverse_frequencies": [1.0]}, r"shape \(1,\); \(4,\) is expected"),
        (yc.Rope(8), {"inverse_frequencies": "abcd"}, "inverse_frequencies has dtype <U4; real numbers"),
        (yc.Rope(8), {"inverse_frequencies": [1j] * 4}, "inverse_frequencies has dtype complex128; real numbers"),
        (yc.Rope(8), {"inverse_frequencies": [[1], [1, 2]]}, "inverse_frequencies makes no array"),
        (yc.Rope(2, 1e4, yc.NTKAware(2.0)), {}, "one pair, which NTKAware .* divide by zero"),
        (yc.Rope(2, 1e4, yc.DynamicNTK(64, 2.0)), {"length": 128}, "one pair, which DynamicNTK .* divide by zero"),
        (yc.Rope(2, 1e4, yc.NTKAware(2.0)), {"phase": "float32-recurrence"}, "one pair, which NTKAware"),
    ],
)
def test_what_is_asked_wrongly_is_told(rope, arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        yc.engines.cos_sin(rope, [1], **arguments)


def test_positions_are_numbers():
    with pytest.raises(TypeError, match="positions has dtype"):
        yc.engines.cos_sin(yc.Rope(8), [True])


@pytest.mark.parametrize("position_type", ["float32", "bfloat16", "float16"])
def test_positions_and_frequencies_may_be_bfloat16_tensors_which_numpy_has_not(position_type):
    positions, frequencies = torch.arange(300), torch.tensor([1.0, 0.1, 0.01, 0.001])
    cast = positions.bfloat16(), frequencies.bfloat16()
    from_torch = yc.engines.angles(yc.Rope(8), cast[0], inverse_frequencies=cast[1], position_type=position_type)
    assert torch.equal(from_torch, cast[0].float()[:, None] * cast[1].float())
    through_numpy = yc.engines.angles(yc.Rope(8), np.arange(9), inverse_frequencies=cast[1])
    assert np.array_equal(through_numpy, from_torch[:9].numpy())


def test_positions_beyond_float16_are_infinite_there_and_their_cosine_is_no_number():
    cos, sin = yc.engines.cos_sin(yc.Rope(8), [70_000, 1], position_type="float16")
    assert np.isnan(cos[0]).all() and np.isnan(sin[0]).all() and np.isfinite(cos[1]).all()
