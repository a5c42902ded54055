"""What a Rope and a Rotation are with a query scale: their names, and what follows from them."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from scales import FROM_ONE, LOG_N, SCALES, STEPS, positions_around_steps

import yarncore as yc

ROPE = yc.Rope(16, 1000.0, yc.YaRN(4.0, 64), query_scale=STEPS)
PLAIN = yc.Rope(16, 1000.0, yc.YaRN(4.0, 64))


def test_it_is_in_repr_equality_hash_and_pickle():
    different = [PLAIN, *(yc.Rope(16, 1000.0, yc.YaRN(4.0, 64), query_scale=scale) for scale in SCALES)]
    assert (
        len(set(different)) == len({repr(rope) for rope in different}) == len({rope.at().id for rope in different}) == 4
    )
    for rope in different:
        assert eval(repr(rope), vars(yc)) == pickle.loads(pickle.dumps(rope)) == rope
        assert pickle.loads(pickle.dumps(rope.at())) == rope.at()
        assert rope.at().query_scale == rope.query_scale


def test_ids_of_rotations_without_one_are_what_they_were_before_there_were_any():
    assert PLAIN.at().id == "114b31c8dcc1acfb00ee249cba4f56c5"


def test_its_id_is_the_same_in_another_process():
    code = f"import yarncore as yc; from yarncore import *; print({ROPE!r}.at().id)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == ROPE.at().id
    )


def test_slices_and_halves_keep_it():
    assert ROPE.of_slice().query_scale == ROPE.in_halves().query_scale == STEPS
    assert ROPE.at().of_slice().query_scale == ROPE.at().in_halves().query_scale == STEPS
    assert ROPE.at(5000).query_scale == ROPE.at([5, 5000]).query_scale == STEPS


def test_for_keys_is_the_rotation_without():
    assert ROPE.at().for_keys() == PLAIN.at()
    assert PLAIN.at().for_keys() is not None and PLAIN.at().for_keys() == PLAIN.at()


def test_the_inverse_undoes_it_and_the_adjoint_has_it(rng):
    q, k = rng.standard_normal((2, 9, 2, 16))
    positions = positions_around_steps(rng, (9,))
    rotation = ROPE.at()
    turned = rotation.rotate(q, k, positions)
    for x, y in zip(rotation.inverse.rotate(*turned, positions), (q, k)):
        assert np.allclose(x, y, rtol=0, atol=1e-14)
    assert rotation.adjoint.query_scale == STEPS
    assert rotation.inverse.query_scale == STEPS.inverse
    assert rotation.inverse.inverse == rotation
    assert rotation @ rotation.inverse == PLAIN.at() @ PLAIN.at().inverse


def test_rotations_of_queries_compose_where_that_is_one_rotation():
    turn = yc.Rope(16, 1000.0).at()
    assert (ROPE.at() @ turn).query_scale == (turn @ ROPE.at()).query_scale == STEPS
    other = yc.Rope(16, 1000.0, query_scale=FROM_ONE).at()
    with pytest.raises(ValueError, match=r"query scales .* cannot be joined"):
        ROPE.at() @ other.inverse
    assert (ROPE.at().for_keys() @ other.for_keys().inverse).query_scale is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
class TestKeysInACache:
    def keys(self, dtype, rng):
        return rng.standard_normal((9, 2, 16)).astype(dtype), positions_around_steps(rng, (9,))

    def test_are_re_rotated_and_shifted_as_without(self, dtype, rng):
        keys, positions = self.keys(dtype, rng)
        old = yc.Rope(16, 1000.0, query_scale=LOG_N)
        scaled, plain = keys.copy(), keys.copy()
        yc.rerotate_(scaled, positions, old.at(), ROPE.at())
        yc.rerotate_(plain, positions, yc.Rope(16, 1000.0).at(), PLAIN.at())
        assert np.array_equal(scaled, plain)
        yc.shift_(scaled, 100, ROPE.at())
        yc.shift_(plain, 100, PLAIN.at())
        assert np.array_equal(scaled, plain)

    def test_are_appended_and_moved_as_without_and_queries_beside_them_are_scaled(self, dtype, rng):
        k, positions = self.keys(dtype, rng)
        q = rng.standard_normal((9, 4, 16)).astype(dtype)
        slots = np.array([3, 1, 0, 2, 7, -1, 5, 6, 8])
        pools = np.zeros((2, 3, 4, 2, 16), dtype=dtype)
        turned = [
            yc.append_(rope.at(), q, k, None, positions, key_cache=pool, slots=slots)
            for rope, pool in zip((ROPE, PLAIN), pools)
        ]
        assert np.array_equal(pools[0], pools[1])
        assert np.array_equal(turned[0], ROPE.rotate(q, None, positions, query=True))
        assert np.array_equal(turned[1], PLAIN.rotate(q, None, positions))
        again = np.zeros_like(pools[0])
        assert yc.append_(ROPE.at(), None, k, None, positions, key_cache=again, slots=slots) is None
        assert np.array_equal(again, pools[1])
        for rope, pool in zip((ROPE, PLAIN), pools):
            yc.move_(pool, [0, 1], [9, 10], rope.at(), by=500)
            new = yc.Rope(16, 500.0, query_scale=rope.query_scale and LOG_N).at()
            yc.move_(pool, [5, 6], [4, 11], rope.at(), new=new, positions=[70, 80], by=3)
        assert np.array_equal(pools[0], pools[1])


def test_slots_in_place_are_scaled_where_they_are_queries(rng):
    x = rng.standard_normal((4, 8, 2, 16)).astype(np.float32)
    rotation = ROPE.at()
    whole = rotation.rotate(x, None, np.arange(100, 132).reshape(4, 8), query=True, backend="generic")
    assert not np.array_equal(whole, rotation.rotate(x, None, np.arange(100, 132).reshape(4, 8), query=False))
