"""Whenever the short cut of append_ or move_ answers, the checked call would not have refused, and the bits are its; where
it declines, nothing was written."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import yarncore as yc
import yarncore.paged_cache
from yarncore.backends.native.plain_call import attempt_append, attempt_move
from yarncore.backends.paged import carry_out
from yarncore.request.appending import append_request

RECORDS = [
    yc.Rope(8).at()._record,
    yc.Rope(8, rotary_dim=4, interleaved=True).at().inverse._record,
    yc.Rope(8, sections=(2, 2)).at()._record,
    yc.Rotation(np.ones(3)).without_factor()._record,
]
DTYPES = [np.float32, np.float64, np.float16]
VALUES = [np.float32, np.int8, np.complex64, "O"]


class Memory:
    """Arrays out of one buffer, which may meet there, or of their own."""

    def __init__(self, rng):
        self.rng = rng
        self.shared = rng.standard_normal(3000)
        self.made = []

    def array(self, shape, dtype):
        dtype = np.dtype(dtype)
        kind = self.rng.integers(0, 12)
        if dtype.hasobject:
            return np.full(shape, 3, dtype)
        if kind == 0:  # in a buffer that others are in
            at = int(self.rng.integers(0, 200))
            count = int(np.prod(shape)) * dtype.itemsize
            x = self.shared.view(np.uint8)[at * 8 : at * 8 + count].view(dtype).reshape(shape)
        elif kind == 1:  # every second head or element
            axis = int(self.rng.integers(0, len(shape)))
            wide = tuple(2 * n if a == axis else n for a, n in enumerate(shape))
            x = np.ones(wide, dtype)[
                tuple(slice(None, None, 2) if a == axis else slice(None) for a in range(len(shape)))
            ]
        elif kind == 2:
            x = np.ones(shape[::-1], dtype).transpose()
        elif kind == 3:
            x = np.broadcast_to(np.ones(shape[-1], dtype), shape)
        else:
            x = np.ones(shape, dtype)
        if x.flags.writeable and x.base is not self.shared:
            x[...] = self.rng.integers(-9, 9, shape)
        if self.rng.random() < 0.02:
            x.flags.writeable = False
        return x


def random_call(seed):
    """A rotation and the arguments of append_: right ones, or with something wrong."""
    rng = np.random.default_rng(seed)
    memory = Memory(rng)
    record = RECORDS[rng.integers(0, len(RECORDS))]
    axis = [None, -2, -2, -3, -4, 1, ...][rng.integers(0, 7)]
    grid = tuple(int(n) for n in rng.integers(1, 4, rng.integers(1, 3)))
    pool = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 3)))
    place = -2 if axis in (..., 1) else axis

    def shaped(tokens, heads, dim):
        if place is None:
            return (*tokens, dim)
        at = max(len(tokens) + 2 + place, 0)
        return (*tokens[:at], heads, *tokens[at:], dim)

    def seldom(usual, other):
        return other if rng.random() < 0.04 else usual

    dtype, carried = DTYPES[rng.integers(0, 3)], VALUES[rng.integers(0, len(VALUES))]
    heads, dim = int(rng.integers(1, 3)), seldom(8, 6)
    k = memory.array(shaped(grid, heads, dim), dtype)
    q = None if rng.random() < 0.3 else memory.array(shaped(seldom(grid, (2,)), 2, dim), dtype)
    v = key_cache = value_cache = out = None
    if rng.random() < 0.2 and place == -2:  # keys and values take turns in one array
        both = memory.array((pool[0], 2, *pool[1:], heads, dim), dtype)
        key_cache, value_cache, v = both[:, 0], both[:, 1], memory.array(k.shape, dtype)
    else:
        key_cache = memory.array(shaped(pool, seldom(heads, 3), dim), seldom(dtype, np.float32))
        if rng.random() < 0.5:
            v = memory.array(shaped(grid, 2, 3), carried)
            value_cache = seldom(memory.array(shaped(seldom(pool, (3, 3)), 2, 3), seldom(carried, np.int32)), None)
    if q is not None and rng.random() < 0.5:
        out = q if rng.random() < 0.3 else memory.array(q.shape, seldom(dtype, np.float64))
    tokens, room = int(np.prod(grid)), int(np.prod(pool))
    slots = rng.permutation(np.arange(-1, max(room, tokens)))[:tokens]
    if rng.random() < 0.1:
        slots = rng.integers(-2, room + 1, tokens)
    slots = slots.reshape(grid) if rng.random() < 0.3 else slots
    slots = slots.astype(np.int32) if rng.random() < 0.1 else slots
    shape = (3, *grid) if record.pair_section is not None else grid
    positions = [None, 5, rng.integers(-9, 99, shape), rng.integers(0, 99, shape[-1:])][rng.integers(0, 4)]
    return record, [q, k, v, positions, key_cache, value_cache, slots, axis, out]


def as_torch(arguments):
    """The same of torch; memory that is shared stays so."""
    *tensors, axis, out = arguments
    made = [torch.from_numpy(x) if isinstance(x, np.ndarray) else x for x in tensors]
    same = out is not None and out is tensors[0]
    return [*made, axis, made[0] if same else out if out is None else torch.from_numpy(out)]


def checked(record, arguments):
    q, k, v, positions, key_cache, value_cache, slots, axis, out = arguments
    request = append_request(
        record, q, k, v, positions, key_cache=key_cache, value_cache=value_cache, slots=slots, heads_axis=axis, out=out
    )
    rotated = carry_out(request)[0]
    return (
        rotated
        if axis in (None, -2, ...) or q is None
        else np.moveaxis(np.asarray(rotated), -2, request.given_heads_axis)
    )


def state(arguments):
    return [np.asarray(x).copy() if hasattr(x, "shape") else x for x in arguments]


def equal(a, b):
    return all(
        x.tobytes() == y.tobytes() if isinstance(x, np.ndarray) else x is y or x == y for x, y in zip(a, b, strict=True)
    )


def random_move(seed):
    """A rotation and the arguments of move_ as its short cut takes them."""
    rng = np.random.default_rng(seed)
    memory = Memory(rng)
    rotation = MOVED[rng.integers(0, len(MOVED))]
    axis = [None, -2, -2, -3, 1, ...][rng.integers(0, 6)]
    pool, other = (tuple(int(n) for n in rng.integers(1, 5, 2)) for _ in range(2))

    def shaped(tokens, heads, dim):
        if axis is None:
            return (*tokens, dim)
        at = {-3: 1, 1: 1}.get(axis, 2)
        return (*tokens[:at], heads, *tokens[at:], dim)

    dtype = DTYPES[rng.integers(0, 3)]
    keys = memory.array(shaped(pool, 2, 8), dtype)
    into = values = values_into = None
    if rng.random() < 0.2 and axis is None:  # a slice turns, and the rest goes along
        latent = memory.array((*pool, 14), dtype)
        keys, values = latent[..., 6:], latent[..., :6]
    elif rng.random() < 0.5:
        carried = VALUES[rng.integers(0, len(VALUES))]
        values = memory.array(shaped(pool, 2, 3), carried)
    if rng.random() < 0.5:
        into = memory.array(shaped(other, 2, 8), dtype)
        values_into = None if values is None else memory.array(shaped(other, 2, values.shape[-1]), values.dtype)
    room = int(np.prod(pool if into is None else other))
    count = int(rng.integers(1, room + 1))
    target = rng.permutation(np.arange(-1, room))[:count]
    if rng.random() < 0.1:
        target = rng.integers(-2, room + 1, count)
    source = rng.integers(-1, int(np.prod(pool)), count)
    source = source[:-1] if rng.random() < 0.04 else source
    lead = (3,) if rotation is MOVED[-1] else ()
    by = [5, 0, rng.integers(-9, 9, (*lead, count)), rng.integers(-9, 9, (*lead, 1)), np.float64(1)][rng.integers(0, 5)]
    return rotation, [keys, source, target, by, into, values, values_into, axis]


MOVED = [
    yc.Rope(8).at(),
    yc.Rope(8, rotary_dim=4, interleaved=True, scaling=yc.YaRN(4.0, 32)).at(),
    yc.Rope(8, sections=(2, 2, 0)).at(),
    yc.Rope(8, query_scale=yc.LogSteps(0.5, 3)).at(),
]

answers = {"numpy": 0, "torch": 0, "numpy, moved": 0, "torch, moved": 0}


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")
@pytest.mark.parametrize("kind", ["numpy", "torch"])
@settings(max_examples=500)
@given(seed=st.integers(0, 2**32))
def test_the_short_cut_and_the_checked_call_agree(kind, seed):
    record, given_arguments = random_call(seed)
    _, again = random_call(seed)
    if kind == "torch":
        if any(isinstance(x, np.ndarray) and (x.dtype.hasobject or not x.flags.writeable) for x in again):
            return
        given_arguments, again = as_torch(given_arguments), as_torch(again)
    before = state(given_arguments)
    done = attempt_append(record, *given_arguments)
    if done is None:
        assert equal(state(given_arguments), before)
        return
    answers[kind] += 1
    expected = checked(record, again)
    assert equal(state(given_arguments), state(again))
    if given_arguments[0] is not None:
        assert np.asarray(done).tobytes() == np.asarray(expected).tobytes()
    else:
        assert done is True


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")
@pytest.mark.parametrize("kind", ["numpy", "torch"])
@settings(max_examples=500)
@given(seed=st.integers(0, 2**32))
def test_the_short_cut_and_the_checked_move_agree(kind, seed):
    rotation, arguments = random_move(seed)
    _, again = random_move(seed)
    if kind == "torch":
        if any(isinstance(x, np.ndarray) and (x.dtype.hasobject or not x.flags.writeable) for x in again):
            return
        arguments, again = (
            [torch.from_numpy(x) if isinstance(x, np.ndarray) else x for x in given] for given in (arguments, again)
        )
    before = state(arguments)
    done = attempt_move(rotation.without_factor()._record, *arguments)
    if done is None:
        assert equal(state(arguments), before)
        return
    answers[f"{kind}, moved"] += 1
    keys, source, target, by, into, values, values_into, axis = again
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yarncore.paged_cache, "attempt_move", lambda *arguments: None)
        yc.move_(
            keys, source, target, rotation, by=by, into=into, values=values, values_into=values_into, heads_axis=axis
        )
    assert equal(state(arguments), state(again))


def test_many_calls_were_answered():
    assert min(answers.values()) >= 80, answers
