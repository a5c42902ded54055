"""Turns as words, against Python's integers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from yarncore.turns.fixed_point import WORDS, integers_of, turns_of, words_of
from yarncore.turns.words import _rounded, added, first_is_negative, negated, words_of_frequencies

WORD = st.integers(0, 2**32 - 1)
ROWS = arrays(np.uint32, st.tuples(st.integers(1, 3), st.just(WORDS), st.integers(1, 4)), elements=WORD)
FREQUENCY = st.floats(-13e9, 13e9) | st.builds(lambda m, e: math.ldexp(m, e), st.floats(-1, 1), st.integers(-260, 33))


def signed(value):
    """Modulo 2^160, between -2^159 and 2^159."""
    return (value + 2**159) % 2**160 - 2**159


@settings(max_examples=300)
@given(arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 5)), elements=FREQUENCY))
def test_frequencies_become_the_words_that_long_division_gives(theta):
    expected = np.stack([words_of(map(turns_of, row.tolist())) for row in theta])
    np.testing.assert_array_equal(words_of_frequencies(theta), expected)


@pytest.mark.parametrize("theta", [0.0, -0.0, 5e-324, 1e-300, 2.0**-184, 2.0**-131, 1.0, 2 * math.pi, math.pi * 2**31])
def test_frequencies_at_the_ends_of_their_range(theta):
    expected = words_of([turns_of(theta)])
    np.testing.assert_array_equal(words_of_frequencies(np.array([[theta]]))[0], expected)


def test_what_lies_too_near_to_a_half_is_divided_anew(monkeypatch):
    product = [np.array([lane], dtype=np.uint64) for lane in (0, 0xFFFFFFFF, 0x7FFFFFFF, 7, 0, 0, 0, 0, 0)]
    assert _rounded(product)[1].tolist() == [True]
    monkeypatch.setattr(
        "yarncore.turns.words._rounded",
        lambda lanes: (np.zeros((WORDS, lanes[0].size), np.uint32), lanes[0] == lanes[0]),
    )
    theta = np.array([[1.0, 0.25, -3.0], [1e-3, 0.0, 1e9]])
    expected = np.stack([words_of(map(turns_of, row.tolist())) for row in theta])
    np.testing.assert_array_equal(words_of_frequencies(theta), expected)


@given(ROWS, st.data())
def test_words_are_added_and_negated_as_integers_are(x, data):
    y = data.draw(arrays(np.uint32, x.shape, elements=WORD))
    for row_x, row_y, total, turned in zip(x, y, added(x, y), negated(x)):
        a, b = integers_of(row_x), integers_of(row_y)
        assert integers_of(total) == [signed(u + v) for u, v in zip(a, b)]
        assert integers_of(turned) == [signed(-u) for u in a]


@given(ROWS)
def test_the_direction_is_that_of_the_first_turn_that_is_not_0(x):
    first = next((value for row in x for value in integers_of(row) if value), 0)
    assert first_is_negative(x) == (first < 0)
