"""Properties of the scalings that no golden states."""

import copy
import dataclasses
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import yarncore as yc
from yarncore import *  # repr evaluates with the public names

L = 4096
EXAMPLES = [
    yc.PositionInterpolation(8),
    yc.NTKAware(8),
    yc.NTKByParts(16, L, ramp="rotations"),
    yc.YaRN(16, L, mscale=0.7, mscale_all_dim=1.0, softmax_mscale=1.0, truncate=False),
    yc.DynamicNTK(L, 2),
    yc.DynamicPositionInterpolation(L),
    yc.DynamicYaRN(L, steps="doubling", max_factor=32),
    yc.DynamicYaRN(L, steps=[2, 4.5]),
    yc.Llama3(8, L),
    yc.LongRoPE(short_factor=[1] * 64, long_factor=[2.5] * 64, original_length=L, factor=32),
    yc.Proportional(0.25),
]


def test_repr_says_what_differs_from_the_defaults():
    assert repr(yc.Rope(128)) == "Rope(head_dim=128)"
    assert repr(yc.Rope(128, 10_000.0, rotary_dim=128)) == "Rope(head_dim=128)"
    assert (
        repr(yc.Rope(128, 5e5, yc.YaRN(4, 32, truncate=False), rotary_dim=64, interleaved=True))
        == "Rope(head_dim=128, base=500000.0, scaling=YaRN(factor=4.0, original_length=32, truncate=False), rotary_dim=64, "
        "interleaved=True)"
    )
    assert repr(yc.Rope(8, sections=(2, 1, 1))) == "Rope(head_dim=8, sections=(2, 1, 1))"
    assert repr(yc.Rope(128).at(5)) == "Rope(head_dim=128).at(None)"


@pytest.mark.parametrize("scaling", EXAMPLES, ids=lambda s: type(s).__name__)
class TestEveryScaling:
    def test_is_a_value(self, scaling):
        rope = yc.Rope(128, scaling=scaling)
        for thing in (scaling, rope):
            for other in (pickle.loads(pickle.dumps(thing)), copy.copy(thing), copy.deepcopy(thing), eval(repr(thing))):
                assert other == thing
                assert hash(other) == hash(thing)
            assert len({thing, copy.deepcopy(thing)}) == 1
        assert yc.Rope(128) != rope
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(scaling, dataclasses.fields(scaling)[0].name, 3)
        with pytest.raises(dataclasses.FrozenInstanceError):
            rope.base = 3.0

    def test_length_is_required_where_it_matters(self, scaling):
        rope = yc.Rope(128, scaling=scaling)
        x = np.ones((2, 128))
        if scaling.needs_length:
            for call in (
                lambda: rope.rotate(x, None, None, heads_axis=None),
                lambda: rope.rotate_(x, None, None, heads_axis=None),
                lambda: rope.cos_sin([1]),
            ):
                with pytest.raises(TypeError, match="length is required"):
                    call()
            assert np.array_equal(x, np.ones((2, 128)))
        else:
            assert rope.at(10) is rope.at()

    def test_up_to_the_original_length_a_dynamic_one_is_plain_rope_bit_for_bit(self, scaling):
        if not scaling.needs_length or isinstance(scaling, yc.LongRoPE):
            return  # not dynamic
        rope, plain = yc.Rope(128, scaling=scaling), yc.Rope(128).at()
        for length in (1, 17, L - 1, L):
            assert rope.at(length) == plain
            assert rope.at(length).id == plain.id
        assert rope.at() == plain
        assert rope.at(L + 1) != plain


@pytest.mark.parametrize("make", [
    lambda: yc.PositionInterpolation(1), lambda: yc.NTKAware(1), lambda: yc.NTKByParts(1, L), lambda: yc.YaRN(1, L),
    lambda: yc.Llama3(1, L), lambda: yc.DynamicNTK(L, 1), lambda: yc.Proportional(1.0),
])  # fmt: skip
def test_factor_1_is_the_identity_bit_for_bit(make):
    scaling = make()
    for dim, base in ((128, 10_000.0), (80, 500_000.0), (64, 1e6)):
        rotation = yc.Rope(dim, base, scaling).at(L)
        assert rotation == yc.Rope(dim, base).at()
        assert rotation.attention_factor == 1


@given(
    factor=st.floats(1, 1e6), length=st.integers(1, 2**40), base=st.floats(1.5, 1e9), pairs=st.integers(1, 130),
    fast=st.floats(0.1, 1000), ratio=st.floats(0.01, 1), truncate=st.booleans(),
    ramp=st.sampled_from(["dimension", "rotations"]),
)  # fmt: skip
def test_by_parts_lies_between_kept_and_interpolated(factor, length, base, pairs, fast, ratio, truncate, ramp):
    scaling = yc.NTKByParts(factor, length, beta_fast=fast, beta_slow=fast * ratio, truncate=truncate, ramp=ramp)
    rope = yc.Rope(2 * pairs, base, scaling)
    theta, scaled = yc.Rope(2 * pairs, base).inverse_frequencies, rope.inverse_frequencies
    multiplier = scaled / theta
    assert np.all(multiplier <= 1 + 1e-15)
    assert np.all(multiplier >= 1 / factor * (1 - 1e-14))
    assert np.all(np.diff(multiplier) <= 1e-14)  # faster pairs are kept more


def test_a_ramp_of_no_width_is_a_step():
    """Kimi-K2's betas 1/1, and bounds that are clamped to the same pair."""
    for scaling in (
        yc.YaRN(32, L, beta_fast=1, beta_slow=1),
        yc.YaRN(32, L, beta_fast=1, beta_slow=1, truncate=False),
        yc.YaRN(32, L, beta_fast=1, beta_slow=1, ramp="rotations"),
    ):
        multiplier = yc.Rope(64, 50_000.0, scaling).inverse_frequencies / yc.Rope(64, 50_000.0).inverse_frequencies
        assert np.all(np.isfinite(multiplier))
        assert multiplier[0] == 1
        assert multiplier[-1] == pytest.approx(1 / 32)
        assert np.count_nonzero((multiplier < 1) & (multiplier > 1 / 32 + 1e-12)) <= 1
    for dim in (2, 4, 6):
        assert np.all(np.isfinite(yc.Rope(dim, scaling=yc.YaRN(4, 64)).inverse_frequencies))


def test_the_whole_ramp_beyond_the_pairs_is_clamped():
    every_pair_fast = yc.Rope(8, 2.0, yc.YaRN(4, 2**30))
    assert np.array_equal(every_pair_fast.inverse_frequencies, yc.Rope(8, 2.0).inverse_frequencies)
    every_pair_slow = yc.Rope(8, 2.0, yc.YaRN(4, 2))
    assert np.allclose(every_pair_slow.inverse_frequencies[1:], yc.Rope(8, 2.0).inverse_frequencies[1:] / 4)


def test_temperature():
    assert yc.Rope(64, scaling=yc.YaRN(16, L)).at().attention_factor == pytest.approx(0.1 * math.log(16) + 1, rel=1e-15)
    assert yc.Rope(64, scaling=yc.NTKByParts(16, L)).at().attention_factor == 1
    assert yc.Rope(64, scaling=yc.YaRN(16, L, attention_factor=0.9)).at().attention_factor == 0.9
    both = yc.YaRN(16, L, mscale=0.707, mscale_all_dim=1.0)
    expected = (0.0707 * math.log(16) + 1) / (0.1 * math.log(16) + 1)
    assert yc.Rope(64, scaling=both).at().attention_factor == pytest.approx(expected, rel=1e-15)
    softmax = yc.Rope(64, scaling=yc.YaRN(40, L, mscale=1, mscale_all_dim=1, softmax_mscale=1)).at()
    assert (softmax.attention_factor, softmax.softmax_scale_factor) == (
        1.0,
        pytest.approx(1.8738542070926265, rel=1e-15),
    )
    assert softmax.softmax_scale(192) == pytest.approx(1.8738542070926265 / math.sqrt(192), rel=1e-15)


def test_dynamic_yarn_is_yarn_at_its_scale():
    for steps, length, s in ((None, 3 * L, 3.0), ("doubling", 3 * L, 4.0), ("doubling", 2 * L, 2.0),
                             ((1.5, 6.0), L + 1, 1.5), ((1.5, 6.0), 100 * L, 6.0)):  # fmt: skip
        dynamic = yc.Rope(128, scaling=yc.DynamicYaRN(L, steps=steps)).at(length)
        assert dynamic == yc.Rope(128, scaling=yc.YaRN(s, L)).at()
    bounded = yc.Rope(128, scaling=yc.DynamicYaRN(L, max_factor=4.0))
    assert bounded.at(100 * L) == yc.Rope(128, scaling=yc.YaRN(4.0, L)).at()
    doubled = yc.Rope(128, scaling=yc.DynamicYaRN(L, steps="doubling", max_factor=6.0))
    assert doubled.at(100 * L) == yc.Rope(128, scaling=yc.YaRN(6.0, L)).at()


def test_longrope_changes_its_list_beyond_the_original_length():
    short, long = [1.0 + i / 10 for i in range(8)], [2.0 + i for i in range(8)]
    rope = yc.Rope(16, scaling=yc.LongRoPE(short_factor=short, long_factor=long, original_length=L, factor=8))
    theta = yc.Rope(16).inverse_frequencies
    assert np.allclose(rope.at(L).inverse_frequencies, theta / short, rtol=1e-15)
    assert np.allclose(rope.at(L + 1).inverse_frequencies, theta / long, rtol=1e-15)
    assert rope.at() == rope.at(1)
    assert rope.at(L).attention_factor == pytest.approx(math.sqrt(1 + math.log(8) / math.log(L)), rel=1e-15)
