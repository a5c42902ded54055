"""append_ and move_: keys turned into slots of paged caches, against a loop over tokens in float64."""

import doctest

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import yarncore as yc
import yarncore.paged_cache
from yarncore.backends.native.host import NativeBackend
from yarncore.reference import rotate_reference

ROPE = yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling"), rotary_dim=12)
OLD, NEW = ROPE.at(100), ROPE.at(400)
UNITS = {np.float64: 1e-12, np.float32: 2.0**-22, ml_dtypes.bfloat16: 2.0**-7, np.float16: 2.0**-10}


def turned(x, angle, factor=1.0):
    """Heads (heads, head_dim) by an angle for each pair, in float64."""
    return rotate_reference(x, np.ones(x.shape[:-1]), angle, factor)


def flat(pool, axis):
    """A copy as (tokens, heads, head_dim)."""
    heads = pool[..., None, :] if axis is None else np.moveaxis(pool, axis, -2)
    return heads.reshape(-1, *heads.shape[-2:]).copy()


def appended(rotation, k, positions, cache, slots, axis):
    """What the cache holds then, in float64, (tokens, heads, head_dim)."""
    result = flat(cache, axis).astype(np.float64)
    for key, position, slot in zip(flat(k, axis), np.ravel(positions), np.ravel(slots), strict=True):
        if slot >= 0:
            angle = position * rotation.inverse_frequencies
            result[slot] = turned(key, angle, rotation.attention_factor)
    return result


def moved(keys, source, target, angles, factor, into, axis):
    """The same for move_; angles (n, pairs) or (n, heads, pairs)."""
    before, result = flat(keys, axis), flat(into, axis).astype(np.float64)
    for n, (a, b) in enumerate(zip(source, target, strict=True)):
        if a >= 0 and b >= 0:
            result[b] = turned(before[a], angles[n], factor)
    return result


def near(x, expected, axis, unit=None):
    unit = UNITS[x.dtype.type] if unit is None else unit
    return np.abs(flat(x, axis).astype(np.float64) - expected).max(initial=0) <= unit * max(
        1, np.abs(expected).max(initial=0)
    )


def shaped(blocks, size, heads, axis, dim=16):
    return {-2: (blocks, size, heads, dim), -3: (blocks, heads, size, dim), None: (blocks, size, dim)}[axis]


def array(rng, *shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


@pytest.fixture(params=["short cut", "one pass", "one after the other"], autouse=True)
def road(request, monkeypatch):
    """The ways to do it: the extension's, with its own checks or ours, and that of array operations."""
    if request.param != "short cut":
        monkeypatch.setattr("yarncore.paged_cache.attempt_append", lambda *arguments: None)
    if request.param == "one after the other":
        monkeypatch.setattr(NativeBackend, "paged_refusal", lambda self, request: "tested without")
    else:
        monkeypatch.setattr("yarncore.backends.paged._one_after_the_other", None)


@pytest.fixture(params=["numpy", "torch"])
def make(request):
    return np.array if request.param == "numpy" else lambda x: torch.from_numpy(np.array(x))


class TestAppend:
    @pytest.mark.parametrize("axis", [-2, -3, None])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
    def test_keys_stand_turned_in_their_slots_and_all_else_is_as_it_was(self, axis, dtype, make, rng):
        cache = array(rng, *shaped(5, 4, 3, axis), dtype=dtype)
        shape = {-2: (2, 3, 3, 16), -3: (2, 3, 3, 16), None: (2, 3, 16)}[axis]
        k, q = array(rng, *shape, dtype=dtype), array(rng, *shape, dtype=dtype)
        positions, slots = np.array([[7, 8, 9], [0, 1, -2]]), np.array([[3, 19, -1], [0, 7, 4]])
        expected = appended(NEW, k, positions, cache, slots, axis)
        stored, given_k = make(cache), make(k)
        q2 = yc.append_(
            NEW, make(q), given_k, None, make(positions), key_cache=stored, slots=make(slots), heads_axis=axis
        )
        assert near(np.asarray(stored), expected, axis)
        assert np.array_equal(np.asarray(given_k), k)
        assert np.array_equal(np.asarray(q2), NEW.rotate(q, None, positions, heads_axis=axis))

    @pytest.mark.parametrize(
        "dtype", [np.int8, np.float16, ml_dtypes.float8_e4m3fn, np.uint16, np.float64, np.complex128]
    )
    def test_values_of_any_dtype_keep_their_bits(self, dtype, rng):
        bits = rng.integers(0, 256, (6, 2, 5 * np.dtype(dtype).itemsize), dtype=np.uint8)
        v = bits.view(dtype)
        k, keys, values = array(rng, 6, 3, 16), array(rng, 4, 4, 3, 16), np.zeros((4, 4, 2, 5), dtype)
        slots = np.array([3, 15, -1, 0, 8, 9])
        assert yc.append_(OLD, None, k, v, None, key_cache=keys, value_cache=values, slots=slots) is None
        expected = np.zeros((16, 2, 5 * np.dtype(dtype).itemsize), np.uint8)
        expected[slots[slots >= 0]] = bits[slots >= 0]
        assert values.reshape(16, 2, 5).view(np.uint8).tobytes() == expected.tobytes()

    @pytest.mark.parametrize("dtype", ["float8_e4m3fn", "uint16", "bfloat16", "bool", "complex64", "uint64"])
    def test_values_of_torch_too(self, dtype, rng):
        v = torch.from_numpy(rng.integers(0, 2, (3, 2, 8), dtype=np.uint8)).to(getattr(torch, dtype))
        k, keys = torch.ones(3, 2, 16), torch.zeros(4, 2, 2, 16)
        values = torch.zeros(4, 2, 2, 8).to(v.dtype)
        yc.append_(OLD, None, k, v, 5, key_cache=keys, value_cache=values, slots=[7, 0, -1], heads_axis=-2)
        assert torch.equal(values.reshape(8, 2, 8)[[7, 0]].to(torch.complex64), v[:2].to(torch.complex64))
        assert not values.reshape(8, 2, 8)[1:7].to(torch.complex64).any()

    def test_q_goes_where_it_is_told_even_onto_itself(self, make, rng):
        q, k = array(rng, 4, 6, 16), array(rng, 4, 2, 16)
        expected = OLD.rotate(q, None, 9)
        for out in (make(np.zeros_like(q)), None):
            given = make(q)
            place = given if out is None else out
            q2 = yc.append_(
                OLD,
                given,
                make(k),
                None,
                9,
                key_cache=make(np.zeros((2, 3, 2, 16), np.float32)),
                slots=[5, 4, -1, 0],
                out=place,
            )
            assert q2 is place
            assert np.array_equal(np.asarray(q2), expected)

    def test_every_tokens_own_length(self, rng):
        rotation = ROPE.at(np.array([100, 400, 70]))
        k, cache = array(rng, 3, 2, 16), np.zeros((2, 3, 2, 16), np.float32)
        yc.append_(rotation, None, k, None, np.array([90, 390, 60]), key_cache=cache, slots=[5, 0, 2])
        for n, (length, position, slot) in enumerate(((100, 90, 5), (400, 390, 0), (70, 60, 2))):
            expected = ROPE.at(length).rotate(k[n], None, np.full(2, position), heads_axis=None)
            assert np.array_equal(cache.reshape(6, 2, 16)[slot], expected)

    def test_caches_that_lie_in_one_array_and_views_of_other_orders(self, rng):
        fused = np.zeros((3, 2, 4, 2, 16), np.float32)  # block, key or value, ...
        k, v = array(rng, 3, 2, 16), array(rng, 3, 2, 16)
        yc.append_(OLD, None, k, v, 3, key_cache=fused[:, 0], value_cache=fused[:, 1], slots=[11, 0, 5])
        expected = OLD.rotate(k, None, 3)
        for n, (block, place) in enumerate(((2, 3), (0, 0), (1, 1))):
            assert np.array_equal(fused[block, 0, place], expected[n])
            assert np.array_equal(fused[block, 1, place], v[n])
        heads_first = np.zeros((3, 2, 4, 16), np.float32)
        yc.append_(OLD, None, k, None, 3, key_cache=heads_first.swapaxes(1, 2), slots=[11, 0, 5])
        assert np.array_equal(heads_first.swapaxes(1, 2), fused[:, 0])

    def test_sections(self, rng):
        rope = yc.Rope(16, sections=(4, 2, 2))
        k, cache = array(rng, 3, 2, 16), np.zeros((2, 3, 2, 16), np.float32)
        positions = rng.integers(0, 90, (3, 3))
        yc.append_(rope.at(), None, k, None, positions, key_cache=cache, slots=[5, 0, 2])
        assert np.array_equal(cache.reshape(6, 2, 16)[[5, 0, 2]], rope.rotate(k, None, positions))


def shift_angles(rotation, by):
    return np.asarray(by)[..., None] * rotation.inverse_frequencies


class TestMove:
    @pytest.mark.parametrize("axis", [-2, -3, None])
    def test_keys_arrive_turned_in_another_pool(self, axis, make, rng):
        keys, into = array(rng, *shaped(5, 4, 3, axis)), array(rng, *shaped(3, 6, 3, axis))
        source, target, by = [7, -1, 0, 19, 3, 3], [0, 2, -1, 17, 5, 6], np.array([1, 2, 3, -400, 0, 7])
        expected = moved(keys, source, target, shift_angles(NEW, by), 1.0, into, axis)
        given, stored = make(keys), make(into)
        assert yc.move_(given, source, target, NEW, by=make(by), into=stored, heads_axis=axis) is stored
        assert near(np.asarray(stored), expected, axis)
        assert np.array_equal(np.asarray(given), keys)

    @pytest.mark.parametrize("dtype", list(UNITS))
    def test_another_scale_and_another_position_are_one_rounding(self, dtype, rng):
        keys, into = array(rng, 5, 4, 3, 16, dtype=dtype), np.zeros((5, 4, 3, 16), dtype)
        source, target = np.array([7, 1, 0, 19, 3]), np.array([0, 2, 4, 17, 5])
        positions, by = np.array([0, 50, 90, 60, 0]), np.array([0, 3, 0, -60, 5])
        angles = shift_angles(NEW, positions + by) - shift_angles(OLD, positions)
        factor = NEW.attention_factor / OLD.attention_factor
        expected = moved(keys, source, target, angles, factor, into, -2)
        yc.move_(keys, source, target, OLD, new=NEW, by=by, positions=positions, into=into)
        assert near(
            into,
            expected,
            -2,
            unit=float(ml_dtypes.finfo(dtype).eps) / 2 * 1.02 + 2 * UNITS[np.float32] * (dtype != np.float64) + 1e-13,
        )

    def test_only_another_scale(self, make, rng):
        keys = array(rng, 5, 4, 3, 16)
        expected = keys.copy()
        yc.rerotate_(expected, np.array([8, 9]), OLD, NEW, slots=[6, 2])
        stored = make(keys)
        assert yc.move_(stored, [6, 2], [6, 2], OLD, new=NEW, positions=[8, 9]) is stored
        assert np.array_equal(np.asarray(stored), expected)

    def test_a_move_by_nothing_leaves_every_bit(self, make, rng):
        keys = array(rng, 2, 4, 3, 16)
        keys[0, 0, 0, :3] = [np.nan, -0.0, np.inf]
        stored = make(keys)
        yc.move_(stored, [0, 1], [5, 6], NEW)
        expected = keys.copy().reshape(8, 3, 16)
        expected[[5, 6]] = expected[[0, 1]]
        assert np.array_equal(np.asarray(stored).reshape(8, 3, 16).view(np.uint32), expected.view(np.uint32))

    @pytest.mark.parametrize(
        ("source", "target"),
        [
            ([0, 1, 2, 3], [1, 2, 3, 4]),  # a chain
            ([4, 3, 2, 1], [3, 2, 1, 0]),
            ([0, 1, 2], [1, 2, 0]),  # a ring
            ([0, 5, 5, 2], [5, 0, 2, -1]),  # an exchange, and one that is read twice
            ([3, -1], [3, 2]),  # where it is
        ],
    )
    def test_within_a_pool_all_are_read_before_any_is_written(self, source, target, make, rng):
        keys, values = array(rng, 3, 2, 3, 16), rng.integers(0, 99, (3, 2, 2, 4))
        by = np.arange(len(source)) * 5 + 2
        expected = moved(keys, source, target, shift_angles(NEW, by), 1.0, keys, -2)
        kept = flat(values, -2)
        for a, b in zip(source, target, strict=True):
            if a >= 0 and b >= 0:
                kept[b] = flat(values, -2)[a]
        stored, carried = make(keys), make(values)
        yc.move_(stored, source, target, NEW, by=by, values=carried)
        assert near(np.asarray(stored), expected, -2)
        assert np.array_equal(flat(np.asarray(carried), -2), kept)

    @pytest.mark.parametrize("axis", [-2, -3])
    @pytest.mark.parametrize("alike", [False, True])
    def test_each_head_moves_by_a_number_of_its_own(self, axis, alike, make, rng):
        keys, into = array(rng, *shaped(4, 5, 3, axis)), array(rng, *shaped(4, 5, 3, axis))
        source, target = [7, 0, 19, 3], [0, 2, -1, 17]
        by = rng.integers(-50, 50, (1 if alike else 4, 3))
        angles = np.broadcast_to(shift_angles(OLD, by), (4, 3, 6))
        expected = moved(keys, source, target, angles, 1.0, into, axis)
        values, values_into = array(rng, *shaped(4, 5, 3, axis, 7)), np.zeros(shaped(4, 5, 3, axis, 7), np.float32)
        stored, carried = make(into), make(values_into)
        yc.move_(
            make(keys),
            source,
            target,
            OLD,
            by=by,
            into=stored,
            values=make(values),
            values_into=carried,
            heads_axis=axis,
        )
        assert near(np.asarray(stored), expected, axis)
        kept = flat(np.asarray(carried), axis)
        assert np.array_equal(kept[[0, 2, 17]], flat(values, axis)[[7, 0, 3]])
        angles = shift_angles(NEW, by + 40) - shift_angles(OLD, np.full_like(by, 40))
        angles = np.broadcast_to(angles, (4, 3, 6))
        expected = moved(keys, source, target, angles, NEW.attention_factor / OLD.attention_factor, into, axis)
        again = make(into)
        yc.move_(make(keys), source, target, OLD, new=NEW, positions=40, by=by, into=again, heads_axis=axis)
        assert near(np.asarray(again), expected, axis)

    def test_the_slice_of_mla_that_turns(self, make, rng):
        rope = yc.Rope(8, interleaved=True)
        latent = array(rng, 3, 4, 24)  # 16 that stay, 8 that turn
        stored = make(latent)
        yc.move_(stored[..., 16:], [1, 2], [9, 10], rope.at(), by=7, values=stored[..., :16], heads_axis=None)
        expected = latent.copy().reshape(12, 24)
        expected[[9, 10]] = expected[[1, 2]]
        expected[[9, 10], 16:] = rotate_reference(
            expected[[1, 2], 16:], np.full(2, 7), rope.inverse_frequencies, 1.0, True
        )
        assert np.allclose(np.asarray(stored).reshape(12, 24), expected, rtol=0, atol=1e-6)

    def test_sections_have_numbers_of_their_own(self, rng):
        rope, other = yc.Rope(16, sections=(4, 2, 2)), yc.Rope(16, base=500.0, sections=(4, 2, 2))
        x = array(rng, 4, 2, 16, dtype=np.float64)
        positions, by = rng.integers(0, 90, (3, 4)), rng.integers(-30, 30, (3, 4))
        keys = np.zeros((3, 4, 2, 16))
        keys.reshape(12, 2, 16)[:4] = rope.rotate(x, None, positions)
        for delta, where in ((by, by), (by[:, :1], by[:, :1]), (by[:, 0], by[:, :1])):
            into = np.zeros_like(keys)
            yc.move_(keys, range(4), [11, 3, 2, 7], rope.at(), by=delta, into=into)
            expected = rope.rotate(x, None, positions + where)
            assert np.allclose(into.reshape(12, 2, 16)[[11, 3, 2, 7]], expected, rtol=0, atol=1e-12)
            yc.move_(keys, range(4), [11, 3, 2, 7], rope.at(), by=delta, new=other.at(), positions=positions, into=into)
            expected = other.rotate(x, None, positions + where)
            assert np.allclose(into.reshape(12, 2, 16)[[11, 3, 2, 7]], expected, rtol=0, atol=1e-12)

    def test_every_tokens_own_length(self, rng):
        lengths = np.array([100, 400, 70])
        rotation, wider = ROPE.at(lengths), ROPE.at(lengths * 2)
        keys, into = array(rng, 2, 3, 2, 16, dtype=np.float64), np.zeros((2, 3, 2, 16))
        by, positions = np.array([[3, 4], [-6, 0], [2, 2]]), np.array([90, 390, 60])
        yc.move_(keys, [0, 1, 2], [5, 4, 3], rotation, new=wider, positions=positions, by=by, into=into)
        for n, (length, position) in enumerate(zip(lengths, positions, strict=True)):
            old, new = ROPE.at(int(length)), ROPE.at(int(2 * length))
            angles = shift_angles(new, position + by[n]) - shift_angles(old, np.full(2, position))
            expected = turned(keys.reshape(6, 2, 16)[n], angles, new.attention_factor / old.attention_factor)
            assert np.allclose(into.reshape(6, 2, 16)[5 - n], expected, rtol=0, atol=1e-12)

    @given(st.data())
    def test_there_and_back_is_where_it_was(self, data):
        tokens = data.draw(st.integers(1, 12))
        source = data.draw(st.permutations(range(tokens)))
        target = data.draw(st.permutations(range(tokens)))
        by = data.draw(st.integers(-(2**40), 2**40))
        keys = np.random.default_rng(tokens).standard_normal((tokens, 2, 16))
        stored, before = keys.reshape(1, tokens, 2, 16).copy(), keys.copy()
        yc.move_(stored, source, target, OLD, by=by)
        yc.move_(stored, target, source, OLD, by=-by)
        assert np.allclose(stored[0], before, rtol=0, atol=1e-14)

    @given(st.data())
    def test_appended_keys_that_moved_are_keys_appended_there(self, data):
        tokens = data.draw(st.integers(1, 6))
        slots = data.draw(st.lists(st.integers(0, 11), min_size=tokens, max_size=tokens, unique=True))
        targets = data.draw(st.lists(st.integers(0, 11), min_size=tokens, max_size=tokens, unique=True))
        positions = np.array(data.draw(st.lists(st.integers(0, 2**33), min_size=tokens, max_size=tokens)))
        by = data.draw(st.integers(-1000, 1000))
        k = np.random.default_rng(0).standard_normal((tokens, 2, 16))
        cache, expected = np.zeros((3, 4, 2, 16)), np.zeros((3, 4, 2, 16))
        yc.append_(OLD, None, k, None, positions, key_cache=cache, slots=slots)
        yc.move_(cache, slots, targets, OLD, by=by, new=NEW, positions=positions)
        yc.append_(NEW, None, k, None, positions + by, key_cache=expected, slots=targets)
        where = np.unravel_index(targets, (3, 4))
        assert np.allclose(cache[where], expected[where], rtol=0, atol=1e-13)


def test_the_examples_of_the_docstrings_run():
    results = doctest.testmod(yarncore.paged_cache)
    assert results.attempted >= 12
    assert not results.failed
