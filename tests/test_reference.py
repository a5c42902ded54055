"""The reference against complex numbers, which know no layout of pairs."""

import numpy as np
import pytest

from yarncore.reference import members, rotate_reference, turn_by

THETA = np.array([1.0, 0.3, 0.01])
POSITIONS = np.array([0, 1, -7, 50_000])


@pytest.mark.parametrize("interleaved", [False, True])
def test_a_pair_is_a_complex_number_times_a_unit(rng, interleaved):
    x = rng.standard_normal((4, 2, 8))
    y = rotate_reference(x, POSITIONS[:, None], THETA, 1.25, interleaved)
    first = [0, 2, 4] if interleaved else [0, 1, 2]
    second = [1, 3, 5] if interleaved else [3, 4, 5]
    expected = (x[..., first] + 1j * x[..., second]) * 1.25 * np.exp(1j * np.multiply.outer(POSITIONS, THETA))[:, None]
    # Three roundings here, three there, and an ulp between cos and exp, of elements below 8: 8 * 8 * 2^-53 at most.
    assert np.allclose(y[..., first], expected.real, rtol=0, atol=2.0**-47)
    assert np.allclose(y[..., second], expected.imag, rtol=0, atol=2.0**-47)
    assert np.array_equal(y[..., 6:], x[..., 6:])


def test_given_rows_turn_as_positions_do(rng):
    x = rng.standard_normal((4, 6))
    angle = np.multiply.outer(POSITIONS, THETA)
    assert np.array_equal(turn_by(x, np.cos(angle), np.sin(angle)), rotate_reference(x, POSITIONS, THETA))


@pytest.mark.parametrize("interleaved", [False, True])
def test_every_element_that_turns_is_a_member_of_one_pair(interleaved):
    elements = np.arange(8)
    assert sorted(np.concatenate([elements[part] for part in members(3, interleaved)])) == [0, 1, 2, 3, 4, 5]
