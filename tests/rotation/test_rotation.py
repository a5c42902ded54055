"""Rotation and Rope: their algebra, identity and public rules."""

import copy
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import yarncore as yc
from yarncore import Rope, Rotation, YaRN  # noqa: F401  # repr evaluates with these names

YARN = yc.YaRN(16.0, 4096)
frequencies = st.lists(st.floats(-8, 8, allow_subnormal=False), min_size=1, max_size=6)


def ones(dim):
    return np.ones((1, dim))


class TestIdentity:
    def test_equal_hash_id_pickle(self):
        a, b = yc.Rope(128, scaling=YARN).at(), yc.Rope(128, scaling=YARN).at()
        c = yc.Rotation(a.inverse_frequencies, a.attention_factor, head_dim=128)
        for other in (b, c, pickle.loads(pickle.dumps(a)), copy.copy(a), copy.deepcopy(a)):
            assert other == a
            assert hash(other) == hash(a)
            assert other.id == a.id
        assert len({a, b, c}) == 1

    def test_what_computes_differently_is_unequal(self):
        theta = [1.0, 0.5]
        base = yc.Rotation(theta)
        others = [
            yc.Rotation([1.0, math.nextafter(0.5, 1)]), yc.Rotation(theta, 1.5), yc.Rotation(theta, 1.0, 2.0),
            yc.Rotation(theta, head_dim=8), yc.Rotation(theta, interleaved=True), base.inverse, yc.Rotation([1.0]),
            yc.Rotation([theta]), yc.Rotation([theta, theta]),
        ]  # fmt: skip
        for i, other in enumerate(others):
            assert other != base
            assert other.id != base.id
            assert all(other != another for another in others[i + 1 :])
        assert base != "text"

    def test_id_is_stable_across_processes_and_versions(self):
        rotation = yc.Rope(128, scaling=YARN).at()
        # Written down once: another number here means that stored ids no longer match.
        assert rotation.id == "afa978d680bf4d966624713831957c48"
        code = "import yarncore as yc; print(yc.Rope(128, scaling=yc.YaRN(16.0, 4096)).at().id)"
        output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert output.stdout.strip() == rotation.id

    @given(theta=frequencies, factor=st.floats(0.01, 100), interleaved=st.booleans())
    def test_repr_evaluates(self, theta, factor, interleaved):
        rotation = yc.Rotation(theta, factor, 2.0, interleaved=interleaved)
        assert eval(repr(rotation)) == rotation

    def test_repr_of_everything_evaluates(self):
        rope = yc.Rope(128, scaling=yc.DynamicYaRN(4096))
        several = yc.Rotation([[1.0, 0.5], [0.25, 0.125]], np.array([1.0, 1.5]))
        namespace = vars(yc) | {"np": np}
        for rotation in (
            rope.at(), rope.at(9000), rope.at([[1], [9000]]), rope.at(9000) @ rope.at(5000).inverse, several,
            rope.at(9000).inverse, rope.at(9000).adjoint, several @ several.inverse,
            yc.Rotation([1.0]).temperature_in("softmax"), rope.at(9000).without_factor(),
            pickle.loads(pickle.dumps(rope.at(9000).inverse)),
        ):  # fmt: skip
            assert eval(repr(rotation), namespace) == rotation

    def test_frequencies_are_read_only(self):
        rotation = yc.Rope(8).at()
        with pytest.raises(ValueError, match="read-only"):
            rotation.inverse_frequencies[0] = 2
        with pytest.raises(AttributeError):
            rotation.attention_factor = 2


class TestAlgebra:
    @given(theta=frequencies, factor=st.floats(0.01, 100))
    def test_a_rotation_and_its_inverse_are_exactly_nothing(self, theta, factor):
        rotation = yc.Rotation(theta, factor)
        identity = rotation @ rotation.inverse
        assert identity == yc.Rotation(np.zeros(len(theta)))
        assert identity.attention_factor == 1.0
        assert rotation.inverse.inverse == rotation
        assert rotation.adjoint.adjoint == rotation

    @given(a=frequencies, b=st.data())
    def test_composition_adds_turns_and_multiplies_factors(self, a, b):
        other = b.draw(st.lists(st.floats(-8, 8, allow_subnormal=False), min_size=len(a), max_size=len(a)))
        x, y = yc.Rotation(a, 1.5), yc.Rotation(other, 1.25, 3.0)
        both = x @ y
        assert both.attention_factor == 1.875
        assert both.softmax_scale_factor == 1
        assert np.allclose(both.inverse_frequencies, np.add(a, other), rtol=1e-15, atol=1e-37)
        assert both == y @ x
        unit = ones(2 * len(a))
        position = np.array([12345])
        in_turn = x.rotate(y.rotate(unit, None, position, heads_axis=None), None, position, heads_axis=None)
        assert np.allclose(both.rotate(unit, None, position, heads_axis=None), in_turn, rtol=0, atol=1e-14)

    def test_rerotation_matches_a_fresh_rotation(self, rng):
        rope = yc.Rope(64, scaling=yc.DynamicYaRN(512))
        old, new = rope.at(700), rope.at(5000)
        keys = rng.standard_normal((2, 9, 4, 64))
        positions = rng.integers(0, 700, (2, 9))
        stored = old.rotate(keys, None, positions)
        moved = (new @ old.inverse).rotate(stored, None, positions)
        assert np.allclose(moved, new.rotate(keys, None, positions), rtol=0, atol=1e-14)

    def test_adjoint_is_the_vector_jacobian_product(self, rng):
        rotation = yc.Rope(16, scaling=YARN, rotary_dim=8).at()
        x, y = rng.standard_normal((2, 3, 16))
        positions = np.array([5, 700, -3])
        left = (rotation.rotate(x, None, positions, heads_axis=None) * y).sum()
        right = (x * rotation.adjoint.rotate(y, None, positions, heads_axis=None)).sum()
        assert left == pytest.approx(right, rel=1e-13)

    def test_several_lengths_compose_row_by_row(self):
        rope = yc.Rope(16, scaling=yc.DynamicYaRN(64))
        lengths = np.array([[100], [200], [64]])
        together = rope.at(lengths) @ rope.at(300).inverse
        for row, length in enumerate(lengths[:, 0].tolist()):
            alone = rope.at(length) @ rope.at(300).inverse
            assert np.array_equal(together.inverse_frequencies[row, 0], alone.inverse_frequencies)

    @pytest.mark.parametrize(("a", "b", "what"), [
        (yc.Rotation([1.0]), yc.Rotation([1.0, 0.5]), "rotary_dim"),
        (yc.Rotation([1.0]), yc.Rotation([1.0], interleaved=True), "interleaved"),
        (yc.Rotation([1.0], head_dim=4), yc.Rotation([1.0], head_dim=6), "head_dim"),
        (yc.Rope(4, sections=(1, 1)).at(), yc.Rope(4).at(), "sections"),
        (yc.Rope(8, sections=(1, 3)).at(), yc.Rope(8, sections=(3, 1)).at(), "sections"),
        (yc.Rotation(np.ones((2, 1))), yc.Rotation(np.ones((3, 1))), "shapes"),
    ])  # fmt: skip
    def test_what_does_not_fit_does_not_compose(self, a, b, what):
        with pytest.raises(ValueError, match=what):
            a @ b


class TestTemperature:
    def test_the_logits_stay(self, rng):
        rotation = yc.Rotation([1.0, 0.1], 1.25, 1.5, head_dim=4)
        q, k = rng.standard_normal((2, 3, 4))
        at = np.arange(3)

        def logits(r):
            a, b = (r.rotate(x, None, at, heads_axis=None) for x in (q, k))
            return a @ b.T * r.softmax_scale(4)

        for place in ("softmax", "cos_sin"):
            moved = rotation.temperature_in(place)
            assert np.allclose(logits(moved), logits(rotation), rtol=1e-14)
        assert rotation.temperature_in("softmax").attention_factor == 1
        assert rotation.temperature_in("cos_sin").softmax_scale_factor == 1

    def test_refused_where_only_a_part_turns(self):
        with pytest.raises(ValueError, match="only 8 of 16 elements turn"):
            yc.Rope(16, rotary_dim=8, scaling=YARN).at().temperature_in("softmax")
        with pytest.raises(ValueError, match="place"):
            yc.Rotation([1.0]).temperature_in("nowhere")


class TestCosSin:
    def test_attention_factor_is_in_it(self):
        cos, sin = yc.Rope(16, scaling=YARN).cos_sin([0, 3])
        assert cos.shape == sin.shape == (2, 8)
        assert cos.dtype == np.float64
        assert np.allclose(np.hypot(cos, sin), YARN_FACTOR, rtol=1e-15)

    def test_positions_of_each_kind_and_dtype(self):
        rope = yc.Rope(16)
        expected = rope.cos_sin(np.array([5]))[0][0]
        assert rope.cos_sin(5)[0].shape == (8,)
        for positions in (5, np.int32(5), np.array(5)):
            assert np.array_equal(rope.cos_sin(positions)[0], expected)
        tensor = rope.cos_sin(torch.tensor([5]))[0]
        assert tensor.dtype == torch.float32
        assert np.allclose(tensor[0], expected, rtol=0, atol=2.0**-24)
        assert rope.cos_sin(np.zeros((2, 0, 3), dtype=int))[0].shape == (2, 0, 3, 8)
        assert rope.cos_sin([])[0].shape == (0, 8)
        assert rope.cos_sin([1], dtype=np.float16)[0].dtype == np.float16

    def test_lengths_broadcast(self):
        rope = yc.Rope(16, scaling=yc.DynamicYaRN(64))
        cos, _ = rope.cos_sin(np.arange(5), length=[[64], [900]])
        assert cos.shape == (2, 5, 8)
        assert np.array_equal(cos[1], rope.cos_sin(np.arange(5), length=900)[0])


YARN_FACTOR = 0.1 * math.log(16) + 1


def test_at_accepts_what_a_length_may_be():
    rope = yc.Rope(16, scaling=yc.DynamicYaRN(64))
    expected = rope.at(100)
    for length in (100, np.int64(100), np.array(100), 100.0, torch.tensor(100)):
        assert rope.at(length) == expected
    assert rope.at([100]).inverse_frequencies.shape == (1, 8)
    assert rope.at(np.zeros((0, 1), dtype=int)).inverse_frequencies.shape == (0, 1, 8)
    assert rope.at([[100], [64]]) == rope.at(torch.tensor([[100], [64]]))
    assert rope.at([[100], [100]]).inverse_frequencies.shape == (2, 1, 8)


def test_partial_and_interleaved_ropes_say_so():
    rotation = yc.Rope(16, rotary_dim=8, interleaved=True).at()
    assert (rotation.head_dim, rotation.rotary_dim, rotation.interleaved) == (16, 8, True)


def test_backend_for_says_which_and_why(rng):
    choice = yc.backend_for(np.ones(2))
    assert (choice.name, choice.faster) == ("native", None)
    assert yc.backend_for(torch.ones(2, requires_grad=True)).name == "native"
    elsewhere = yc.backend_for(torch.ones(2, device="meta"))
    assert elsewhere.name == "generic"
    assert "meta" in elsewhere.why
    import jax.numpy as jnp

    assert yc.backend_for(jnp.ones(2)).name == "generic"


def test_threads():
    before = yc.get_num_threads()
    try:
        yc.set_num_threads(3)
        assert yc.get_num_threads() == 3
        yc.set_num_threads(10**9)
        assert yc.get_num_threads() == 1024
    finally:
        yc.set_num_threads(before)
    for text, expected in (("4,2", 4), ("3", 3)):
        assert threads_with_environment(text) == expected
    default = threads_with_environment(None)
    for text in ("", "abc", "-2", "0"):
        assert threads_with_environment(text) == default


def threads_with_environment(text):
    import os

    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    if text is not None:
        environment["OMP_NUM_THREADS"] = text
    code = "import yarncore; print(yarncore.get_num_threads())"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return int(output.stdout)
