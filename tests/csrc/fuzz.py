"""Random calls against the reference: shapes, strides, dtypes, layouts, positions, fresh, out= and in place; every fourth
of append_ or move_ (paged_fuzz.py).

Run: python tests/csrc/fuzz.py --calls 100000 [--seed 0]; under sanitizers: python tests/csrc/sanitized.py address
"""

import argparse
import time

import ml_dtypes
import numpy as np

import yarncore as yc
from yarncore.reference import rotate_reference

DTYPES = [np.dtype(t) for t in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)]
POSITION_DTYPES = [np.dtype(t) for t in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8")]
FARTHEST = 4000


def strided(rng, shape, dtype):
    """An array of random strides: axes in any order, steps of -2 to 3, at any element of a larger buffer."""
    order = rng.permutation(len(shape)) if rng.random() < 0.5 else np.arange(len(shape))
    steps = rng.choice([1, 1, 1, 2, 3, -1, -2], len(shape)) if rng.random() < 0.5 else np.ones(len(shape), int)
    extents = [shape[axis] * abs(steps[axis]) for axis in order]
    offset = int(rng.integers(0, 9))
    buffer = np.zeros(int(np.prod(extents)) + offset, dtype)[offset:].reshape(extents)
    x = buffer.transpose(np.argsort(order))[tuple(slice(None, None, step) for step in steps)]
    x = x[tuple(slice(0, n) for n in shape)]
    x[...] = rng.standard_normal(shape).astype(dtype)
    return x


def random_positions(rng, grid):
    """Positions that broadcast against the token axes, and the same for the reference."""
    kind = rng.integers(0, 4)
    index = np.arange(grid[-1]) if grid else np.zeros((), int)
    if kind == 0 and grid:
        return None, np.broadcast_to(index, grid)
    if kind == 1 and grid:
        offset = int(rng.integers(-FARTHEST, FARTHEST))
        return offset, np.broadcast_to(index + offset, grid)
    dtype = POSITION_DTYPES[rng.integers(0, len(POSITION_DTYPES))]
    shape = [n if rng.random() < 0.7 else 1 for n in grid][
        rng.integers(0, len(grid) + 1) if rng.random() < 0.3 else 0 :
    ]
    if grid and not shape:
        shape = [1]
    if dtype.kind == "f":
        values = rng.integers(-FARTHEST * 8, FARTHEST * 8, shape) / 8
    else:
        limits = np.iinfo(dtype)
        values = rng.integers(max(limits.min, -FARTHEST), min(limits.max, FARTHEST), shape)
    values = np.asarray(values).astype(dtype)
    return values, np.broadcast_to(values.astype(np.float64), grid)


def by_another_road(rng, rotation, pair, positions, each_position, axis):
    """The same call anew; or by rows that are made first; or by tables of the same cos and sin."""
    road, wide = rng.integers(0, 3), {x.dtype == np.float64 for x in pair if x is not None}
    if not each_position.ndim or (road == 2 and (len(wide) > 1 or rotation.rotary_start)):
        road = 0
    each = each_position if positions is None or isinstance(positions, int) else positions
    each = each if each.ndim else each[None]
    if road == 1:
        prepared = rotation.prepare(each)
        for _ in range(rng.integers(0, 2)):
            prepared.rotate(*pair, heads_axis=axis)  # the next one takes the short cut
        return prepared.rotate(*pair, heads_axis=axis)
    if road == 2:
        cos, sin = rotation.cos_sin(each, dtype=np.float64 if True in wide else np.float32)
        interleaved, layout = rotation.interleaved, rng.choice(["half", "repeated", "pairs"])
        cos, sin = (laid_out(rng, table, layout) for table in (cos, sin))
        return yc.rotate_by(*pair, cos, sin, heads_axis=axis, layout=str(layout), interleaved=interleaved)
    return rotation.rotate(*pair, positions, heads_axis=axis)


def laid_out(rng, table, layout):
    """A table in a layout of rotate_by, of random strides."""
    table = {"half": table, "repeated": np.concatenate([table] * 2, -1), "pairs": np.repeat(table, 2, -1)}[str(layout)]
    result = strided(rng, table.shape, table.dtype)
    result[...] = table
    return result


def one_call(rng, sets):
    """One random call, carried out and checked."""
    pairs = int(rng.choice([1, 2, 3, 5, 8, 15, 16, 17, 24, 31, 32, 33, 40, 64, 65]))
    start = int(rng.choice([0, 0, 0, 1, 2, 8]))
    end = start + 2 * pairs
    head_dim = end + int(rng.choice([0, 0, 0, 1, 2, 7]))
    interleaved, factor = bool(rng.random() < 0.5), float(rng.choice([1.0, 1.25]))
    layout = {"head_dim": head_dim, "interleaved": interleaved, "rotary_start": start}
    rotation = yc.Rotation(rng.uniform(-3, 3, pairs), factor, **layout)
    theta = rotation.inverse_frequencies
    grid = tuple(int(n) for n in rng.integers(0 if rng.random() < 0.05 else 1, 6, rng.integers(0, 4)))
    axis = None if rng.random() < 0.3 else -int(rng.integers(2, len(grid) + 3))
    if axis is not None and -axis - 2 > len(grid):
        axis = -2
    positions, expected_positions = random_positions(rng, grid)
    arrays, references = [], []
    for _ in range(rng.integers(1, 3)):
        shape = list(grid)
        per_head = expected_positions
        if axis is not None:
            place = len(grid) + 2 + axis
            shape.insert(place, int(rng.integers(1, 5)))
            per_head = np.expand_dims(expected_positions, place)
        x = strided(rng, (*shape, head_dim), DTYPES[rng.integers(0, 4)])
        arrays.append(x)
        references.append(rotate_reference(x, per_head, theta, factor, interleaved, start))
    before = [x.copy() for x in arrays]
    pair = arrays if len(arrays) == 2 else [arrays[0], None]
    mode = rng.integers(0, 3)
    yc._core.use_instruction_set(sets[rng.integers(0, len(sets))])
    if mode == 0:
        results = rotation.rotate(*pair, positions, heads_axis=axis)
    elif mode == 1:
        out = [strided(rng, x.shape, x.dtype) for x in arrays]
        results = rotation.rotate(*pair, positions, heads_axis=axis, out=out if len(out) == 2 else out[0])
    else:
        results = rotation.rotate_(*pair, positions, heads_axis=axis)
    results = results if isinstance(results, tuple) else (results,)
    yc._core.use_instruction_set(sets[rng.integers(0, len(sets))])
    yc.set_num_threads(int(rng.integers(1, 4)))
    again = by_another_road(rng, rotation, [*before, None][:2], positions, expected_positions, axis)
    again = again if isinstance(again, tuple) else (again,)
    for x, y, other, reference in zip(before, results, again, references, strict=True):
        arithmetic = np.finfo(np.float64 if x.dtype == np.float64 else np.float32).eps
        unit = float(ml_dtypes.finfo(x.dtype).eps)
        size = np.max(np.abs(reference), initial=1.0)
        # One rounding of products and sum, one of the dtype, and the reference's own float64 angle.
        bound = size * (3 * arithmetic + unit + 8 * FARTHEST * 2.0**-53)
        error = np.max(np.abs(y.astype(np.float64) - reference), initial=0.0)
        described = (x.shape, x.dtype, x.strides, pairs, start, axis, interleaved, mode, positions)
        assert error <= bound, (error, described)
        assert np.array_equal(y, other), described
        for rest in (slice(None, start), slice(end, None)):
            assert y[..., rest].tobytes() == x[..., rest].tobytes(), described
    if mode != 2:
        for x, kept in zip(arrays, before, strict=True):
            assert np.array_equal(x, kept), "an input was written"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    from paged_fuzz import one_paged_call  # which needs what stands here

    sets = yc._core.instruction_sets()
    start = time.monotonic()
    for n in range(options.calls):
        try:
            (one_paged_call if n % 4 == 3 else one_call)(np.random.default_rng([options.seed, n]), sets)
        except Exception:
            print(f"call {n} of seed {options.seed}:")
            raise
        if n % 10_000 == 9_999:
            print(f"{n + 1} calls, {time.monotonic() - start:.0f} s", flush=True)
    print(f"{options.calls} calls agree with the reference")


if __name__ == "__main__":
    main()
