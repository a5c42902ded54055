"""The promise table: cos and sin of the native road and the generic one against exact arithmetic."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from exact_arithmetic import exact_cos_sin, hardest_positions, ulps
from golden_files import records
from hypothesis import given
from hypothesis import strategies as st

import yarncore as yc

TWO_PI = 2 * np.pi
SIMPLE = [float(np.pi / 2), float(np.pi / 4), float(np.pi / 1000)]


def golden_frequencies():
    seen = {}
    for record in records("exact"):
        for text in record["inv_freq"]:
            seen[float(text)] = None
    return sorted(seen)


def worst_ulps(theta, positions, dtype=np.float32, backend_cos_sin=None):
    cos, sin = (backend_cos_sin or (lambda p: yc.Rotation([theta]).cos_sin(p, dtype=dtype)))(positions)
    worst = 0.0
    for position, c, s in zip(positions.tolist(), np.asarray(cos)[:, 0], np.asarray(sin)[:, 0], strict=True):
        exact_c, exact_s = exact_cos_sin(theta, position)
        worst = max(worst, ulps(c, exact_c, dtype), ulps(s, exact_s, dtype))
    return worst


class TestNative32:
    """<= 0.51 ulp of float32 at every position below 2^32."""

    @pytest.mark.parametrize("theta", SIMPLE)
    def test_multiples_of_simple_angles(self, theta, instruction_set, rng):
        positions = np.array([1, 2, 3, *hardest_positions(theta, 2**32), *rng.integers(0, 2**32, 50)])
        assert worst_ulps(theta, positions) <= 0.51

    def test_hardest_positions_of_every_golden_frequency(self):
        for theta in golden_frequencies():
            assert worst_ulps(theta, np.array(hardest_positions(theta, 2**32))) <= 0.51, theta

    def test_random_positions_of_every_golden_frequency(self, rng):
        for theta in golden_frequencies():
            assert worst_ulps(theta, rng.integers(0, 2**32, 6)) <= 0.51, theta

    def test_mirror_positions_are_exact_mirrors(self, instruction_set, rng):
        rotation = yc.Rope(128).at()
        positions = rng.integers(-(2**63), 2**63 - 1, 200)
        cos, sin = rotation.cos_sin(positions, dtype=np.float32)
        mirrored_cos, mirrored_sin = rotation.cos_sin(-positions, dtype=np.float32)
        assert np.array_equal(cos, mirrored_cos)
        assert np.array_equal(sin, -mirrored_sin)


class TestNative64:
    def test_below_2_40_within_1e_15(self, instruction_set, rng):
        theta = yc.Rope(128).inverse_frequencies
        positions = rng.integers(-(2**40), 2**40, 60)
        cos, sin = yc.Rotation(theta).cos_sin(positions, dtype=np.float64)
        for i, position in enumerate(positions.tolist()):
            for pair in range(0, 64, 5):
                exact_c, exact_s = exact_cos_sin(theta[pair], position)
                assert abs(mpmath.mpf(cos[i, pair]) - exact_c) <= 1e-15
                assert abs(mpmath.mpf(sin[i, pair]) - exact_s) <= 1e-15

    def test_any_64_bit_position(self, instruction_set):
        theta = yc.Rope(128).inverse_frequencies
        for positions in (
            np.array([-(2**63), 2**63 - 1, 2**62 + 1, -(2**53) - 1], dtype=np.int64),
            np.array([2**64 - 1, 2**63, 2**63 + 12345], dtype=np.uint64),
        ):
            cos, sin = yc.Rotation(theta).cos_sin(positions, dtype=np.float64)
            for i, position in enumerate(positions.tolist()):
                for pair in range(0, 64, 9):
                    exact_c, exact_s = exact_cos_sin(theta[pair], position)
                    bound = 1e-15 + abs(position) * 2.0**-126
                    assert abs(mpmath.mpf(cos[i, pair]) - exact_c) <= bound
                    assert abs(mpmath.mpf(sin[i, pair]) - exact_s) <= bound


class TestFractionalPositions:
    """<= 1 ulp of float32 up to 2^40; a float32 position counts as the value it holds."""

    @given(
        position=st.floats(-(2.0**40), 2.0**40, allow_subnormal=True),
        pair=st.integers(0, 63),
    )
    def test_float64(self, position, pair):
        theta = yc.Rope(128).inverse_frequencies[pair]
        (c,), (s,) = (a[:, 0] for a in yc.Rotation([theta]).cos_sin(np.array([position]), dtype=np.float32))
        with mpmath.workprec(1300):
            angle = mpmath.mpf(theta) * mpmath.mpf(position)
            assert ulps(c, mpmath.cos(angle)) <= 1
            assert ulps(s, mpmath.sin(angle)) <= 1

    @given(position=st.floats(-(2.0**30), 2.0**30, width=32))
    def test_float32_is_taken_at_its_value(self, position):
        rotation = yc.Rope(64).at()
        narrow = rotation.cos_sin(np.array([position], dtype=np.float32), dtype=np.float32)
        wide = rotation.cos_sin(np.array([position], dtype=np.float64), dtype=np.float32)
        assert np.array_equal(narrow, wide)

    def test_whole_numbers_give_the_same_bits_as_integers(self, instruction_set, rng):
        rotation = yc.Rope(128).at()
        positions = rng.integers(-(2**50), 2**50, 100)
        as_float = rotation.cos_sin(positions.astype(np.float64), dtype=np.float64)
        assert np.array_equal(as_float, rotation.cos_sin(positions, dtype=np.float64))

    def test_frequencies_above_a_turn_a_token_and_negative_ones(self, rng):
        for theta in (7.5, 100.25, -0.3, -9.0):
            positions = np.concatenate([rng.uniform(-1e6, 1e6, 50), [0.5, -0.25, 1e-25]])
            assert worst_ulps(theta, positions) <= 1

    def test_exact_golden(self):
        from golden_files import golden

        fractional = [float(text) for text in golden("exact")["fractional_positions"]]
        for record in records("exact"):
            theta = np.array([float(text) for text in record["inv_freq"]])
            cos, sin = yc.Rotation(theta).cos_sin(np.array(fractional), dtype=np.float64)
            for j, position in enumerate(fractional):
                for column, pair in enumerate(record["pairs"]):
                    bound = 1e-15 + abs(position) * theta[pair] * 2.0**-53
                    assert abs(cos[j, pair] - float(record["fractional_cos"][j][column])) <= bound
                    assert abs(sin[j, pair] - float(record["fractional_sin"][j][column])) <= bound


class TestGeneric:
    """With 64-bit types as the native float64; without them an absolute error <= 2^-23."""

    def test_64_bits(self, xp, rng):
        theta = yc.Rope(64).inverse_frequencies
        positions = np.concatenate([rng.integers(-(2**40), 2**40, 20), [0, 1, 2**62]])
        unit = xp.asarray(np.repeat([[1.0] * 32 + [0.0] * 32], positions.size, axis=0))
        given_positions = xp.asarray(positions)
        turned = yc.Rotation(theta).rotate(unit, None, given_positions, heads_axis=None, backend="generic")
        for i, position in enumerate(positions.tolist()):
            for pair in range(0, 32, 5):
                exact_c, exact_s = exact_cos_sin(theta[pair], position)
                bound = 1e-15 + abs(position) * 2.0**-126
                assert abs(float(turned[i, pair]) - exact_c) <= bound
                assert abs(float(turned[i, 32 + pair]) - exact_s) <= bound

    def test_jax_without_64_bits_to_2_31(self, rng):
        theta = np.concatenate([yc.Rope(128).inverse_frequencies[::7], SIMPLE])
        rotation = yc.Rotation(theta)
        hard = [p for f in theta for p in hardest_positions(f, 2**31)[-6:]]
        positions = np.array([0, 1, 2**31 - 1, -(2**31), *rng.integers(-(2**31), 2**31, 40), *hard])
        pairs = theta.size
        unit = jnp.concatenate([jnp.ones((positions.size, pairs)), jnp.zeros((positions.size, pairs))], axis=1)
        assert unit.dtype == jnp.float32
        for rotate in (rotation.rotate, jax.jit(lambda x, k, p, heads_axis: rotation.rotate(x, k, p, heads_axis=None),
                                                static_argnames=("k", "heads_axis"))):  # fmt: skip
            turned = np.asarray(rotate(unit, None, jnp.asarray(positions.astype(np.int32)), heads_axis=None))
            for i, position in enumerate(positions.tolist()):
                for pair in range(pairs):
                    exact_c, exact_s = exact_cos_sin(theta[pair], position)
                    assert abs(float(turned[i, pair]) - exact_c) <= 2.0**-23
                    assert abs(float(turned[i, pairs + pair]) - exact_s) <= 2.0**-23

    @given(position=st.floats(-(2.0**40), 2.0**40, allow_subnormal=False))
    def test_fractional_positions(self, position):
        theta = yc.Rope(16).inverse_frequencies
        unit = np.array([[1.0] * 8 + [0.0] * 8])
        native = yc.Rotation(theta).rotate(unit, None, np.array([position]), heads_axis=None)
        generic = yc.Rotation(theta).rotate(unit, None, np.array([position]), heads_axis=None, backend="generic")
        assert np.max(np.abs(native - generic)) <= 1e-15


def test_the_usual_float32_angle_is_far_off():
    """Why all this: the figure of the README."""
    position, theta = 2**20, yc.Rope(128).inverse_frequencies
    usual = np.cos(np.float32(position) * theta.astype(np.float32)).astype(np.float64)
    exact = np.array([float(exact_cos_sin(t, position)[0]) for t in theta])
    assert 1e-2 < np.max(np.abs(usual - exact)) < 1e-1
    ours = yc.Rotation(theta).cos_sin(np.array([position]), dtype=np.float32)[0][0]
    assert np.max(np.abs(ours - exact)) <= 2.0**-24
