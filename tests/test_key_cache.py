"""Re-rotating and shifting stored keys, and positions of packed sequences."""

import array_api_strict
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import yarncore as yc

ROPE = yc.Rope(32, scaling=yc.DynamicYaRN(64, steps="doubling"))


@pytest.fixture
def keys(rng):
    return rng.standard_normal((2, 6, 3, 32)).astype(np.float32)


@pytest.fixture(params=["numpy", "torch"])
def make(request):
    return np.array if request.param == "numpy" else lambda x: torch.tensor(np.asarray(x))


def close(a, b):
    return np.allclose(np.asarray(a), np.asarray(b), rtol=0, atol=1e-5)


def test_rerotated_keys_are_keys_of_the_new_scale(keys, make):
    old, new = ROPE.at(100), ROPE.at(400)
    positions = np.arange(6) + 30
    stored = make(old.rotate(keys, None, positions))
    assert yc.rerotate_(stored, positions, old, new) is stored
    assert close(stored, new.rotate(keys, None, positions))
    assert yc.rerotate_(stored, 30, new, old, heads_axis=-2) is stored
    assert close(stored, old.rotate(keys, None, positions))


def test_shifted_keys_are_keys_further_on(keys, make):
    rotation = ROPE.at(400)
    positions = np.arange(6)
    stored = make(rotation.rotate(keys, None, positions))
    assert yc.shift_(stored, 1000, rotation) is stored
    assert close(stored, rotation.rotate(keys, None, positions + 1000))
    yc.shift_(stored, -1000, rotation)
    assert close(stored, rotation.rotate(keys, None, positions))
    each = np.array([[1] * 6, [5] * 6])
    yc.shift_(stored, make(each), rotation, heads_axis=-2)
    assert close(stored, rotation.rotate(keys, None, positions + each))


def test_a_shift_by_nothing_leaves_every_bit(keys):
    keys[0, 0, 0, :3] = [np.nan, -0.0, np.inf]
    before = keys.copy()
    yc.shift_(keys, 0, ROPE.at(400))
    assert np.array_equal(keys.view(np.uint32), before.view(np.uint32))


@pytest.mark.parametrize("heads_axis", [-2, -3, None])
def test_slots_of_a_paged_cache(heads_axis, make, rng):
    rotation, new = ROPE.at(100), ROPE.at(400)
    shape = {-2: (5, 4, 3, 32), -3: (5, 3, 4, 32), None: (5, 4, 32)}[heads_axis]
    keys = rng.standard_normal(shape).astype(np.float32)
    slots = np.array([7, -1, 0, 19, 3])
    positions = np.array([10, 99, 11, 12, -5])
    stored = make(keys)
    yc.rerotate_(stored, positions, rotation, new, heads_axis=heads_axis, slots=slots)
    expected = keys.copy()
    record = new @ rotation.inverse
    for slot, position in zip(slots, positions, strict=True):
        if slot >= 0:
            block, offset = divmod(slot, 4)
            at = (block, slice(None), offset) if heads_axis == -3 else (block, offset)
            expected[at] = record.rotate(
                keys[at], None, np.full(3, position) if heads_axis else position, heads_axis=None
            )
    assert close(stored, expected)
    untouched = np.ones((5, 4), dtype=bool)
    untouched.reshape(-1)[slots[slots >= 0]] = False
    where = np.moveaxis(np.asarray(stored), heads_axis, -2) if heads_axis else np.asarray(stored)
    before = np.moveaxis(keys, heads_axis, -2) if heads_axis else keys
    assert np.array_equal(where[untouched], before[untouched])


def test_generic_slots_agree_with_native(rng):
    from yarncore.backends.carry_out import run

    keys = rng.standard_normal((5, 4, 3, 32)).astype(np.float32)
    record = ROPE.at(400)._record
    slots = np.array([7, -1, 0, 19, 3])
    for positions in (np.array([10, 99, 11, 12, -5]), None, 70):
        native, generic = keys.copy(), keys.copy()
        for x, backend in ((native, "native"), (generic, "generic")):
            run(record, x, None, positions, heads_axis=-2, in_place=True, slots=slots, backend=backend)
        assert np.array_equal(native, generic)


@pytest.mark.parametrize("backend", ["native", "generic"])
def test_slots_are_a_part_of_what_is_counted(backend, rng):
    from yarncore.backends.carry_out import run

    keys = rng.standard_normal((5, 4, 3, 32)).astype(np.float32)
    whole = ROPE.rotate(keys, None, 70, heads_axis=-2, length=400)
    some = keys.copy()
    run(ROPE.at(400)._record, some, None, 70, heads_axis=-2, in_place=True, slots=[7, 0, 18], backend=backend)
    turned = np.zeros(20, dtype=bool)
    turned[[7, 0, 18]] = True
    assert np.array_equal(some.reshape(20, 3, 32)[turned], whole.reshape(20, 3, 32)[turned])
    assert np.array_equal(some.reshape(20, 3, 32)[~turned], keys.reshape(20, 3, 32)[~turned])


def test_shift_with_sections():
    rope = yc.Rope(16, sections=(4, 2, 2))
    rotation = rope.at()
    x = np.random.default_rng(0).standard_normal((2, 5, 3, 16))
    positions = np.arange(30).reshape(3, 2, 5)
    stored = rotation.rotate(x, None, positions)
    yc.shift_(stored, np.array([1, 0, 2]), rotation)
    assert np.allclose(
        stored, rotation.rotate(x, None, positions + np.array([1, 0, 2])[:, None, None]), rtol=0, atol=1e-13
    )
    with pytest.raises(ValueError, match="sections"):
        yc.shift_(stored, 1, rotation)


def test_a_cache_that_holds_nothing_yet_is_left_alone():
    from transformers.cache_utils import DynamicLayer

    layer = DynamicLayer()
    states = torch.ones(1, 2, 3, 32, dtype=torch.bfloat16)
    layer.lazy_initialization(states, states)
    old, new = ROPE.at(100), ROPE.at(400)
    for positions in (None, 7, torch.arange(0), torch.zeros(1, 0, dtype=torch.int64)):
        assert yc.rerotate_(layer.keys, positions, old, new, heads_axis=-3) is layer.keys
    assert yc.shift_(layer.keys, 3, old, heads_axis=-3) is layer.keys
    assert layer.keys.shape == (0,)
    with pytest.raises(TypeError, match="old"):
        yc.rerotate_(layer.keys, None, ROPE, new)
    with pytest.raises(ValueError, match="last axis"):
        yc.rerotate_(torch.ones(3), None, old, new, heads_axis=None)


def test_no_slots_are_no_keys(keys):
    before = keys.copy()
    yc.rerotate_(keys, [], ROPE.at(100), ROPE.at(400), slots=[])
    yc.shift_(keys, 3, ROPE.at(100), slots=[])
    assert np.array_equal(keys, before)


def test_wrong_slots_and_shifts_leave_the_keys(keys):
    before = keys.copy()
    rotation = ROPE.at(100)
    for slots, error in (
        ([0, 0], ValueError), ([12], ValueError), ([-2], ValueError), ([[0]], ValueError), ([0.5], TypeError), (["a"], TypeError),
    ):  # fmt: skip
        with pytest.raises(error, match="slot"):
            yc.rerotate_(keys, np.zeros(np.size(slots), dtype=int), rotation, rotation, heads_axis=-2, slots=slots)
    for by in (1.5, "1", None, True, np.array([0.5])):
        with pytest.raises(TypeError, match="by"):
            yc.shift_(keys, by, rotation)
    with pytest.raises(TypeError, match="old"):
        yc.rerotate_(keys, 0, ROPE, rotation, heads_axis=-2)
    with pytest.raises(TypeError, match="rotation"):
        yc.shift_(keys, 1, ROPE)
    with pytest.raises(TypeError, match="immutable"):
        yc.shift_(jnp.asarray(keys), 1, rotation)
    with pytest.raises(ValueError, match="keys"):
        yc.shift_(keys[..., :16], 1, rotation)
    assert np.array_equal(keys, before)


def test_16_bit_keys_under_a_continuous_scale_warn(keys):
    continuous = yc.Rope(32, scaling=yc.DynamicYaRN(64))
    half = keys.astype(np.float16)
    with pytest.warns(yc.ConfigWarning, match="doubling"):
        yc.rerotate_(half, None, continuous.at(100), continuous.at(101), heads_axis=-2)
    yc.rerotate_(half, None, ROPE.at(100), ROPE.at(400), heads_axis=-2)
    yc.rerotate_(keys, None, continuous.at(100), continuous.at(101), heads_axis=-2)


class TestPackedPositions:
    @pytest.mark.parametrize("xp", [np, torch, jnp, array_api_strict], ids=lambda xp: xp.__name__)
    def test_each_sequence_starts_anew(self, xp):
        cumulative = xp.asarray([0, 3, 3, 7])
        positions = yc.packed_positions(cumulative, 9)
        assert np.asarray(positions).tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 5]
        assert positions.dtype == cumulative.dtype
        offset = yc.packed_positions(cumulative, 7, xp.asarray([10, 20, 30]))
        assert np.asarray(offset).tolist() == [10, 11, 12, 30, 31, 32, 33]

    def test_wrong_arguments(self):
        for arguments, error in (
            (([0.0, 2.0], 2), TypeError), (("0", 2), TypeError), (([[0, 2]], 2), ValueError), (([0], 2), ValueError),
            (([1, 2], 2), ValueError), (([0, 2, 1], 2), ValueError), (([0, 3], 2), ValueError), (([0, 2], -1), ValueError),
            (([0, 2], 2.0), TypeError), (([0, 2], 2, [1, 2]), ValueError), (([0, 2], 2, [0.5]), TypeError),
        ):  # fmt: skip
            with pytest.raises(error, match=r"cu_seqlens|total|offsets"):
                yc.packed_positions(*arguments)
