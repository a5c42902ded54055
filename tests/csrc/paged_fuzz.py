"""Random calls of append_ and move_ against the reference: pools of random strides, values of any type, slots that meet."""

import ml_dtypes
import numpy as np
from fuzz import DTYPES, FARTHEST, random_positions, strided

import yarncore as yc
from yarncore.reference import turn_by

VALUES = [np.dtype(t) for t in ("i1", "u2", "f4", "f8", "c16")]


class Case:
    """A rotation, its heads and their layout; `flat` and `shaped` agree on where the axis of heads is."""

    def __init__(self, rng):
        self.rng = rng
        pairs = int(rng.choice([1, 3, 8, 16, 17, 32, 33, 64]))
        self.dim = 2 * pairs + int(rng.choice([0, 0, 1, 7]))
        interleaved = bool(rng.random() < 0.5)
        self.old, self.new = (
            yc.Rotation(rng.uniform(-3, 3, pairs), float(factor), head_dim=self.dim, interleaved=interleaved)
            for factor in rng.choice([1.0, 1.25], 2)
        )
        self.heads = int(rng.integers(1, 5))
        self.axis = None if rng.random() < 0.2 else -int(rng.integers(2, 4))
        self.dtype = DTYPES[rng.integers(0, 4)]
        self.values = VALUES[rng.integers(0, 5)] if rng.random() < 0.6 else None

    def shaped(self, tokens, heads, dim):
        if self.axis is None:
            return (*tokens, dim)
        at = len(tokens) + 2 + self.axis
        return (*tokens[:at], heads, *tokens[at:], dim)

    def flat(self, x):
        """A view or copy as (tokens, heads, elements)."""
        x = x[..., None, :] if self.axis is None else np.moveaxis(x, self.axis, -2)
        return x.reshape(-1, *x.shape[-2:])

    def keys(self, tokens, dtype=None, heads=None, dim=None):
        return strided(self.rng, self.shaped(tokens, heads or self.heads, dim or self.dim), dtype or self.dtype)

    def slots(self, tokens, room):
        return self.rng.permutation(np.arange(-1, max(room, tokens)))[:tokens]

    def near(self, y, expected, position):
        unit = (
            float(ml_dtypes.finfo(y.dtype).eps) + 3 * np.finfo(np.float64 if y.dtype == np.float64 else np.float32).eps
        )
        size = np.max(np.abs(expected), initial=1.0)
        error = np.max(np.abs(y.astype(np.float64) - expected), initial=0.0)
        assert error <= size * (unit + 16 * position * 2.0**-53), (error, self.axis, self.dtype, self.dim)


def turned(rotation, x, angle, factor):
    return turn_by(x, np.cos(angle) * factor, np.sin(angle) * factor, rotation.interleaved)


def one_append(rng):
    """A random append_, checked."""
    case = Case(rng)
    grid = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 3)))
    pool = tuple(int(n) for n in rng.integers(1, 7, rng.integers(1, 3)))
    k, cache = case.keys(grid), case.keys(pool)
    q = None if rng.random() < 0.4 else case.keys(grid, heads=int(rng.integers(1, 6)))
    v = values = None
    if case.values is not None:
        v, values = (case.keys(tokens, case.values, 2, 5) for tokens in (grid, pool))
    positions, placed = random_positions(rng, grid)
    count, room = int(np.prod(grid)), int(np.prod(pool))
    slots = case.slots(count, room)
    slots[slots >= room] = -1
    expected, carried = case.flat(cache).astype(np.float64), None if v is None else case.flat(values).copy()
    for n, (slot, position) in enumerate(zip(slots, placed.reshape(-1), strict=True)):
        if slot >= 0:
            angle = position * case.old.inverse_frequencies
            expected[slot] = turned(case.old, case.flat(k)[n], angle, case.old.attention_factor)
            if v is not None:
                carried[slot] = case.flat(v)[n]
    given = slots.reshape(grid) if rng.random() < 0.5 else slots
    heads_axis = case.axis
    rotated = None if q is None else case.old.rotate(q.copy(), None, positions, heads_axis=heads_axis)
    out = q if rng.random() < 0.3 else None
    result = yc.append_(
        case.old, q, k, v, positions, key_cache=cache, value_cache=values, slots=given, heads_axis=heads_axis, out=out
    )
    case.near(case.flat(cache), expected, FARTHEST)
    assert (result is None) == (q is None)
    assert q is None or np.array_equal(result, rotated)
    assert v is None or case.flat(values).tobytes() == carried.tobytes()


def one_move(rng):
    """A random move_, within a pool or to another, checked."""
    case = Case(rng)
    pool = tuple(int(n) for n in rng.integers(1, 7, rng.integers(1, 3)))
    other = tuple(int(n) for n in rng.integers(1, 7, len(pool)))
    keys = case.keys(pool)
    into = keys if rng.random() < 0.4 else case.keys(other)
    values = values_into = None
    if case.values is not None:
        values = case.keys(pool, case.values, case.heads, 3)
        values_into = values if into is keys else case.keys(other, case.values, case.heads, 3)
    room = int(np.prod(pool)) if into is keys else int(np.prod(other))
    count = int(rng.integers(0, room + 2))
    target = case.slots(count, room)
    target[target >= room] = -1
    source = rng.integers(-1, int(np.prod(pool)), count)
    shape = [(), (count,), (1,), (count, case.heads), (1, case.heads)][
        rng.integers(0, 5 if case.axis is not None else 3)
    ]
    by = rng.integers(-50, 50, shape)
    scaled = rng.random() < 0.5
    positions = rng.integers(-FARTHEST, FARTHEST, (count,)) if scaled else np.zeros(count, int)
    rotation = case.new if scaled else case.old
    moved = np.broadcast_to(by if by.ndim == 2 else by[..., None], (count, case.heads if case.axis is not None else 1))
    angles = (positions[:, None] + moved)[..., None] * rotation.inverse_frequencies
    angles = angles - positions[:, None, None] * case.old.inverse_frequencies
    factor = case.new.attention_factor / case.old.attention_factor if scaled else 1.0
    if not scaled:
        angles = moved[..., None] * rotation.inverse_frequencies
    expected, before = case.flat(into).astype(np.float64), case.flat(keys).copy()
    carried, kept = (None, None) if values is None else (case.flat(values_into).copy(), case.flat(values).copy())
    for n in range(count):
        if source[n] >= 0 and target[n] >= 0:
            expected[target[n]] = turned(case.old, before[source[n]], angles[n], factor)
            if values is not None:
                carried[target[n]] = kept[source[n]]
    more = {"new": case.new, "positions": positions} if scaled else {}
    if into is not keys:
        more |= {"into": into, "values_into": values_into}
    given = int(by) if by.ndim == 0 else by
    yc.move_(keys, source, target, case.old, by=given, values=values, heads_axis=case.axis, **more)
    case.near(case.flat(into), expected, FARTHEST)
    assert values is None or case.flat(values_into).tobytes() == carried.tobytes()


def one_paged_call(rng, sets):
    """One random call on a random instruction set and number of threads."""
    yc._core.use_instruction_set(sets[rng.integers(0, len(sets))])
    yc.set_num_threads(int(rng.integers(1, 4)))
    (one_append if rng.random() < 0.5 else one_move)(rng)
