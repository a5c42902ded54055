"""Lengths: one, and one a row."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import yarncore as yc

STEPPED = {
    "doubling": yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling")),
    "given steps": yc.Rope(16, scaling=yc.DynamicYaRN(64, steps=(1.5, 3.0, 10.0))),
    "longrope": yc.Rope(
        16, scaling=yc.LongRoPE(short_factor=[1.0] * 8, long_factor=[2.0] * 8, original_length=64, factor=4)
    ),
}
CONTINUOUS = yc.Rope(16, scaling=yc.DynamicYaRN(64))
LENGTHS = st.lists(st.integers(1, 2000) | st.sampled_from([64, 65, 128, 129, 2**40]), min_size=1, max_size=12)
Q = np.random.default_rng(0).standard_normal((3, 2, 5, 16)).astype(np.float32)


@pytest.mark.parametrize("name", STEPPED)
@given(lengths=LENGTHS)
def test_each_of_several_lengths_is_as_if_it_were_alone(name, lengths):
    rope = STEPPED[name]
    together = rope.at(lengths)
    alone = [rope.at(length) for length in lengths]
    np.testing.assert_array_equal(together.inverse_frequencies, [r.inverse_frequencies for r in alone])
    np.testing.assert_array_equal(together.attention_factor, [r.attention_factor for r in alone])
    np.testing.assert_array_equal(together.softmax_scale_factor, [r.softmax_scale_factor for r in alone])


@pytest.mark.parametrize("rope", [*STEPPED.values(), CONTINUOUS], ids=[*STEPPED, "continuous"])
@given(lengths=LENGTHS)
def test_equal_rows_are_equal_rotations_however_they_were_made(rope, lengths):
    by_length = rope.at(lengths)
    given_again = yc.Rotation(by_length.inverse_frequencies, by_length.attention_factor, head_dim=16)
    same_softmax = by_length.temperature_in("cos_sin") if np.any(by_length.softmax_scale_factor != 1) else by_length
    assert rope.at(list(lengths)) == by_length
    assert hash(rope.at(list(lengths))) == hash(by_length)
    assert pickle.loads(pickle.dumps(by_length)) == by_length
    assert pickle.loads(pickle.dumps(by_length)).id == by_length.id
    assert given_again == same_softmax
    assert eval(repr(by_length), vars(yc)) == by_length
    assert by_length @ by_length.inverse == yc.Rotation(np.zeros((len(lengths), 8)), head_dim=16)


@pytest.mark.parametrize("rope", STEPPED.values(), ids=STEPPED)
def test_all_lengths_of_a_step_share_one_rotation(rope):
    assert rope.at(65) is rope.at(66)
    assert rope.at(1) is rope.at(64)
    assert rope.at(1) == rope.at()
    assert rope.at(64) is not rope.at(65)
    assert eval(repr(rope.at(70)), vars(yc)) == rope.at(70)


def test_another_step_in_one_row_is_another_rotation():
    rope = STEPPED["doubling"]
    assert rope.at([10, 70, 300]) == rope.at([64, 128, 257])
    assert rope.at([10, 70, 300]) != rope.at([64, 128, 256])
    assert rope.at([10, 70]) != rope.at([[10, 70]])


@pytest.mark.parametrize("rope", [*STEPPED.values(), CONTINUOUS], ids=[*STEPPED, "continuous"])
@pytest.mark.parametrize("xp", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_rows_turn_each_token_as_its_own_length_does(rope, xp):
    lengths = np.array([[40], [70], [900]])
    positions = np.array([[3, 4, 5, 6, 7], [60, 61, 62, 63, 69], [895, 896, 897, 898, 899]])
    q = xp(Q)
    turned = rope.rotate(q, None, xp(positions), heads_axis=-3, length=xp(lengths))
    in_place = xp(Q.copy())
    assert rope.rotate_(in_place, None, xp(positions), heads_axis=-3, length=xp(lengths)) is in_place
    for row in range(3):
        alone = rope.at(int(lengths[row, 0])).rotate(q[row], None, xp(positions[row]), heads_axis=-3)
        np.testing.assert_array_equal(np.asarray(turned[row]), np.asarray(alone))
        np.testing.assert_array_equal(np.asarray(in_place[row]), np.asarray(alone))


@pytest.mark.parametrize(
    ("lengths", "error", "says"),
    [
        ([3, 0], ValueError, "length is .*0.*>= 1"),
        (np.array([2**60]), ValueError, r"2\^53"),
        ([1.5], ValueError, "whole"),
        ([True], TypeError, "bool"),
        (["x"], TypeError, "integers are expected"),
        (torch.tensor([5, -1]), ValueError, ">= 1"),
    ],
)
@pytest.mark.parametrize("rope", [STEPPED["doubling"], CONTINUOUS], ids=["stepped", "continuous"])
def test_a_wrong_length_among_others_is_named(rope, lengths, error, says):
    with pytest.raises(error, match=says):
        rope.at(lengths)


@pytest.mark.parametrize("rope", [STEPPED["doubling"], CONTINUOUS], ids=["stepped", "continuous"])
def test_no_lengths_are_no_rows(rope):
    assert rope.at(np.zeros((0, 1), dtype=np.int64)).inverse_frequencies.shape == (0, 1, 8)
