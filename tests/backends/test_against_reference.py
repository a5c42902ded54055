"""Every road against the reference: shapes, strides, dtypes, layouts, kinds of positions."""

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import yarncore as yc
from yarncore.reference import rotate_reference

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.float16), BFLOAT16]
DIMS = [(2, 2, 0), (6, 6, 0), (20, 6, 0), (64, 64, 0), (80, 48, 0), (80, 80, 0), (96, 96, 0), (128, 32, 0), (128, 128, 0),
        (256, 256, 0), (5, 2, 3), (20, 6, 7), (80, 48, 16), (80, 64, 16), (128, 64, 64), (192, 64, 128), (512, 64, 448)]  # fmt: skip


def close(y, reference, dtype, farthest=5000):
    """One rounding of float32 arithmetic (its products and sum), then one of the dtype; float64: of float64.

    The reference itself is off by its float64 angle, farthest * 2^-53.
    """
    arithmetic = np.finfo(np.float64 if dtype == np.float64 else np.float32).eps
    unit = float(ml_dtypes.finfo(dtype).eps)
    size = np.max(np.abs(reference), initial=1.0)
    return np.max(np.abs(y.astype(np.float64) - reference), initial=0.0) <= size * (
        3 * arithmetic + unit + 2 * farthest * 2.0**-53
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(("head_dim", "rotary_dim", "start"), DIMS)
@pytest.mark.parametrize("backend", ["native", "generic"])
def test_every_dimension(dtype, interleaved, head_dim, rotary_dim, start, backend, rng):
    rotation = yc.Rotation(
        np.geomspace(1, 1e-3, rotary_dim // 2), attention_factor=1.25, head_dim=head_dim, interleaved=interleaved,
        rotary_start=start,
    )  # fmt: skip
    q = rng.standard_normal((2, 5, 3, head_dim)).astype(dtype)
    k = rng.standard_normal((2, 5, 1, head_dim)).astype(dtype)
    positions = rng.integers(-50, 5000, (2, 5))
    turned = rotation.rotate(q, k, positions, backend=backend)
    for x, y in zip((q, k), turned, strict=True):
        assert y.dtype == dtype
        reference = rotate_reference(x, positions[..., None], rotation.inverse_frequencies, 1.25, interleaved, start)
        assert close(y, reference, dtype)
        for rest in (slice(None, start), slice(start + rotary_dim, None)):
            assert y[..., rest].tobytes() == x[..., rest].tobytes()


@pytest.mark.parametrize("backend", ["native", "generic"])
@pytest.mark.parametrize("interleaved", [False, True])
def test_a_slice_anywhere_is_what_the_slice_alone_is_and_nothing_else_is_touched(interleaved, backend, rng):
    rope = yc.Rope(80, rotary_dim=48, rotary_start=24, interleaved=interleaved, scaling=yc.YaRN(4.0, 64))
    alone = rope.of_slice()
    whole = rng.standard_normal((2, 5, 3, 160)).astype(np.float32)
    for x in (whole[..., :80], whole[..., ::2], whole[..., ::-2], whole[..., 80:]):  # contiguous, apart, backwards
        positions = rng.integers(0, 3, (2, 5))  # 0 among them: a slice that stays where it is
        expected = x.copy()
        expected[..., 24:72] = alone.rotate(x[..., 24:72].copy(), None, positions)
        assert np.array_equal(rope.rotate(x, None, positions, backend=backend), expected)
        out = np.full_like(whole, 7)[..., ::2]
        rope.rotate(x, None, positions, out=out, backend=backend)
        assert np.array_equal(out, expected)
        before = whole.copy()
        kept = x[..., 24:72].copy()
        assert rope.rotate_(x, None, positions, backend=backend) is x
        assert np.array_equal(x, expected)
        x[..., 24:72] = kept
        assert np.array_equal(whole, before)


def test_reversed_turns_by_minus_the_position(rng):
    plain, back = (yc.Rope(32, scaling=yc.DynamicYaRN(64), reversed=reversed) for reversed in (False, True))
    x = rng.standard_normal((2, 5, 3, 32)).astype(np.float32)
    positions = rng.integers(-50, 5000, (2, 5))
    for length in (5000, [[64], [5000]]):
        y = back.rotate(x, None, positions, length=length)
        assert np.array_equal(y, plain.rotate(x, None, -positions, length=length))
        assert back.at(length) == plain.at(length).adjoint
    cos, sin = plain.cos_sin(positions, length=100)
    assert all(map(np.array_equal, back.cos_sin(positions, length=100), (cos, -sin)))
    steps = yc.Rope(32, scaling=yc.DynamicYaRN(64, steps="doubling"), reversed=True)
    q, n = torch.from_numpy(x), torch.tensor([[64], [5000]])
    traced = torch.compile(lambda q, n: steps.rotate(q, None, None, heads_axis=-2, length=n), backend="eager")
    assert torch.equal(traced(q, n), steps.rotate(q, None, None, heads_axis=-2, length=[[64], [5000]]))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
@pytest.mark.parametrize("interleaved", [False, True])
def test_all_instruction_sets_and_thread_counts_give_the_same_bits(dtype, interleaved, rng):
    rope = yc.Rope(80, rotary_dim=48, interleaved=interleaved, scaling=yc.YaRN(4.0, 64))
    x = rng.standard_normal((3, 700, 7, 80)).astype(dtype)
    before_set, before_threads = yc._core.instruction_set(), yc.get_num_threads()
    results = []
    try:
        for name in yc._core.instruction_sets():
            for threads in (1, 2, 5):
                yc._core.use_instruction_set(name)
                yc.set_num_threads(threads)
                results.append(rope.rotate(x, None, None, heads_axis=-2))
    finally:
        yc._core.use_instruction_set(before_set)
        yc.set_num_threads(before_threads)
    assert len(results) >= 3
    for other in results[1:]:
        assert np.array_equal(other.view(np.uint8), results[0].view(np.uint8))


def test_native_and_generic_give_the_same_bits(xp, rng):
    rope = yc.Rope(64, scaling=yc.YaRN(8.0, 4096))
    x = rng.standard_normal((2, 9, 4, 64)).astype(np.float32)
    positions = rng.integers(0, 2**31, (2, 9))
    native = rope.rotate(x, None, positions)
    generic = rope.rotate(xp.asarray(x), None, xp.asarray(positions), backend="generic")
    assert np.array_equal(np.asarray(generic), native)


LAYOUTS = {
    "(B, S, H, D)": ((2, 6, 4, 32), -2, lambda p: p),
    "(B, H, S, D)": ((2, 4, 6, 32), -3, lambda p: p),
    "(T, H, D)": ((12, 4, 32), -2, lambda p: p.reshape(-1)),
    "(H, T, D)": ((4, 12, 32), -3, lambda p: p.reshape(-1)),
    "(B, S, D), no heads": ((2, 6, 32), None, lambda p: p),
    "(H, B, S, D)": ((4, 2, 6, 32), 0, lambda p: p),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name, rng):
    shape, heads_axis, place = LAYOUTS[name]
    rotation = yc.Rope(32).at()
    x = rng.standard_normal(shape).astype(np.float32)
    positions = place(rng.integers(0, 1000, (2, 6)))
    y = rotation.rotate(x, None, positions, heads_axis=heads_axis)
    last = np.moveaxis(x, heads_axis, -2) if heads_axis is not None else x[..., None, :]
    reference = rotate_reference(last, positions[..., None], rotation.inverse_frequencies)
    reference = np.moveaxis(reference, -2, heads_axis) if heads_axis is not None else reference[..., 0, :]
    assert close(y, reference, x.dtype)


@st.composite
def strided(draw):
    """A view with odd strides into a byte buffer, and the same values contiguous."""
    dtype = draw(st.sampled_from(DTYPES))
    outer = tuple(draw(st.integers(0, 4)) for _ in range(draw(st.integers(1, 3))))
    shape = (*outer, draw(st.sampled_from([2, 6, 10])))
    steps = [draw(st.sampled_from([1, 2, -1, 3])) for _ in shape]
    order = draw(st.permutations(range(len(shape))))
    whole = np.random.default_rng(draw(st.integers(0, 99))).standard_normal(
        [shape[axis] * abs(steps[axis]) for axis in order]
    )
    view = whole.astype(dtype).transpose(np.argsort(order))
    view = view[tuple(slice(None, None, step) for step in steps)][tuple(slice(0, n) for n in shape)]
    offset = draw(st.integers(0, 3))
    if offset and draw(st.booleans()):  # misaligned
        raw = np.zeros(view.size * dtype.itemsize + offset, dtype=np.uint8)
        moved = raw[offset:].view(dtype).reshape(view.shape) if view.size else view
        if view.size:
            moved[...] = view
        view = moved
    return view


@given(
    x=strided(), interleaved=st.booleans(), heads=st.booleans(), backend=st.sampled_from([None, "native", "generic"])
)
def test_any_strides_give_the_bits_of_contiguous(x, interleaved, heads, backend):
    heads_axis = -2 if heads and x.ndim > 1 else None
    rotation = yc.Rope(x.shape[-1], interleaved=interleaved).at()
    grid = x.shape[:-1] if heads_axis is None else x.shape[:-2]
    positions = np.arange(int(np.prod(grid))).reshape(grid) * 7 - 3
    if not grid:
        positions = -3
    contiguous = rotation.rotate(np.ascontiguousarray(x), None, positions, heads_axis=heads_axis)
    before = x.copy()
    out_of_place = rotation.rotate(x, None, positions, heads_axis=heads_axis, backend=backend)
    assert np.array_equal(out_of_place, contiguous, equal_nan=True)
    assert np.array_equal(x, before)
    target = np.empty_like(before)
    assert rotation.rotate(x, None, positions, heads_axis=heads_axis, out=target, backend=backend) is target
    assert np.array_equal(target, contiguous)
    assert rotation.rotate_(x, None, positions, heads_axis=heads_axis, backend=backend) is x
    assert np.array_equal(x, contiguous)


POSITION_KINDS = [
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.uint8,
    np.uint16,
    np.uint32,
    np.uint64,
    np.float32,
    np.float64,
]


@pytest.mark.parametrize("kind", POSITION_KINDS)
@pytest.mark.parametrize("backend", ["native", "generic"])
def test_every_kind_of_positions_says_the_same(kind, backend, rng):
    rope = yc.Rope(32)
    x = rng.standard_normal((3, 5, 2, 32))
    positions = rng.integers(0 if np.dtype(kind).kind == "u" else -100, 127, (3, 5))
    plain = rope.rotate(x, None, positions)
    given_as = rope.rotate(x, None, positions.astype(kind), backend=backend)
    assert np.allclose(plain, given_as, rtol=0, atol=2e-15)
    swapped = positions.astype(np.dtype(kind).newbyteorder())
    assert np.array_equal(rope.rotate(x, None, swapped, backend=backend), given_as)


@pytest.mark.parametrize("backend", ["native", "generic"])
def test_positions_broadcast(backend, rng):
    rope = yc.Rope(32)
    x = rng.standard_normal((3, 5, 2, 32)).astype(np.float32)
    whole = np.broadcast_to(np.arange(7, 12), (3, 5))
    expected = rope.rotate(x, None, whole)
    for positions in (np.arange(7, 12), [7, 8, 9, 10, 11], np.arange(7, 12)[None], range(7, 12)):
        assert np.array_equal(rope.rotate(x, None, positions, backend=backend), expected)
    for offset in (7, np.int16(7), np.array(7), np.uint64(7)):
        assert np.array_equal(rope.rotate(x, None, offset, heads_axis=-2, backend=backend), expected)
    one = rope.rotate(x, None, np.array([7]), backend=backend)
    assert np.array_equal(one, rope.rotate(x, None, np.full((3, 5), 7)))
    each_row = rope.rotate(x, None, np.array([[1], [2], [3]]), backend=backend)
    assert np.array_equal(each_row[1], rope.rotate(x[1], None, np.full(5, 2)))


@pytest.mark.parametrize("backend", ["native", "generic"])
def test_rows_of_a_batch_at_different_lengths(backend, rng):
    rope = yc.Rope(32, scaling=yc.DynamicYaRN(64))
    x = rng.standard_normal((3, 5, 2, 32)).astype(np.float32)
    lengths = np.array([[64], [100], [1000]])
    together = rope.rotate(x, None, None, heads_axis=-2, length=lengths, backend=backend)
    for row, length in enumerate(lengths[:, 0].tolist()):
        alone = rope.rotate(x[row], None, None, length=length)
        assert np.array_equal(together[row], alone)
    packed = rope.rotate(
        x.reshape(15, 2, 32), None, np.tile(np.arange(5), 3), length=np.repeat(lengths[:, 0], 5), backend=backend
    )
    assert np.array_equal(packed.reshape(together.shape), together)


@pytest.mark.parametrize("backend", ["native", "generic"])
@pytest.mark.parametrize("order", ["contiguous", "interleaved"])
def test_sections_turn_each_pair_by_its_own_position(backend, order, rng):
    rope = yc.Rope(32, sections=(8, 4, 4), section_order=order)
    x = rng.standard_normal((2, 5, 3, 32))
    positions = rng.integers(0, 500, (3, 2, 5))
    y = rope.rotate(x, None, positions, backend=backend)
    section = [0] * 8 + [1] * 4 + [2] * 4 if order == "contiguous" else [0, 1, 2] * 4 + [0] * 4
    theta = rope.inverse_frequencies
    for pair, which in enumerate(section):
        columns = [pair, pair + 16]
        one = rotate_reference(x[..., columns], positions[which][..., None], theta[pair : pair + 1])
        assert np.allclose(y[..., columns], one, rtol=0, atol=1e-13)
    same = rope.rotate(x, None, np.broadcast_to(positions[0], (3, 2, 5)), backend=backend)
    assert np.array_equal(same, yc.Rope(32).rotate(x, None, positions[0]))


def test_more_than_eight_axes_go_another_road(rng):
    x = rng.standard_normal((1, 2, 1, 2, 1, 2, 1, 2, 4))
    flat = yc.Rope(4).rotate(x.reshape(16, 4), None, None, heads_axis=None)
    many = yc.Rope(4).rotate(x, None, np.arange(16).reshape(x.shape[:-1]), heads_axis=None)
    assert np.allclose(flat.reshape(x.shape), many, rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_torch_gives_the_bits_of_numpy(dtype, rng):
    rope = yc.Rope(64, scaling=yc.YaRN(4.0, 512))
    x = torch.from_numpy(rng.standard_normal((2, 9, 4, 64))).to(dtype)
    bits = x.view(torch.uint16).numpy().view(BFLOAT16) if dtype == torch.bfloat16 else x.numpy()
    expected = rope.rotate(bits, None, None, heads_axis=-2)
    y = rope.rotate(x, None, None, heads_axis=-2)
    assert y.dtype == dtype
    as_numpy = y.view(torch.uint16).numpy().view(BFLOAT16) if dtype == torch.bfloat16 else y.numpy()
    assert np.array_equal(as_numpy, expected)
    version = x._version
    assert rope.rotate_(x, None, None, heads_axis=-2) is x
    assert x._version == version + 1
    assert torch.equal(x, y)


def test_special_values_stay_in_their_pair(instruction_set):
    rope = yc.Rope(8)
    for dtype in DTYPES:
        x = np.ones((1, 8), dtype=dtype)
        x[0, 1], x[0, 2], x[0, 3] = np.nan, np.inf, -0.0
        y = rope.rotate(x, None, np.array([3]), heads_axis=None).astype(np.float64)[0]
        assert np.isnan(y[[1, 5]]).all()
        assert not np.isnan(y[[0, 3, 4, 7]]).any()
        assert np.isinf(y[[2, 6]]).all()
        untouched = rope.rotate(x, None, np.array([0]), heads_axis=None)
        assert np.array_equal(untouched.view(np.uint8), x.view(np.uint8))


def test_denormals_are_kept_even_where_the_caller_flushes_them():
    x = np.full((1, 4), 1e-40, dtype=np.float32)
    expected = yc.Rope(4).rotate(x, None, np.array([1]), heads_axis=None)
    assert 0 < abs(expected[0, 1]) < np.finfo(np.float32).tiny
    assert torch.set_flush_denormal(True)
    try:
        flushed = yc.Rope(4).rotate(x, None, np.array([1]), heads_axis=None)
    finally:
        torch.set_flush_denormal(False)
    assert np.array_equal(expected, flushed)


def test_float16_overflow_is_infinity():
    x = np.full((1, 2), 65504, dtype=np.float16)
    y = yc.Rotation([1e-6], attention_factor=1.27).rotate(x, None, np.array([1]), heads_axis=None)
    assert np.isposinf(y).all()


@pytest.mark.parametrize("value", [0.0, 6e-8, 5.9e-8, 3e-8, 2.9e-8, 6.1e-5, 65504.0, 32759.0, 32760.0, 1.0009765625])
def test_float16_rounding_of_every_instruction_set_is_numpys(value, instruction_set):
    x = np.array([[value, -value]], dtype=np.float64)
    with np.errstate(over="ignore"):
        half = x.astype(np.float16)
    doubled = yc.Rotation([0.0], attention_factor=2.0).rotate(half, None, np.array([1]), heads_axis=None)
    with np.errstate(over="ignore"):
        assert np.array_equal(doubled, (half.astype(np.float32) * 2).astype(np.float16))


def test_every_float16_and_bfloat16_goes_through_unchanged(instruction_set):
    """A turn by zero with factor 1 at a position that is not 0: each value is widened and rounded back."""
    bits = np.arange(65536, dtype=np.uint16).reshape(-1, 2)
    for dtype in (np.dtype(np.float16), BFLOAT16):
        x = bits.view(dtype)
        finite = np.isfinite(x.astype(np.float32)).all(axis=1)
        y = yc.Rotation([0.0]).rotate(x, None, np.array([5]), heads_axis=None)
        assert np.array_equal(y[finite].astype(np.float32), x[finite].astype(np.float32))


def test_relative_position(rng):
    """Logits of (m, n) and (m + 10^9, n + 10^9) are the same, up to the rounding of the products."""
    for scaling in (None, yc.YaRN(32.0, 4096)):
        rope = yc.Rope(128, scaling=scaling)
        q, k = rng.standard_normal((2, 40, 128)).astype(np.float32)
        m, n = rng.integers(0, 100_000, (2, 40))
        logits = []
        for far in (0, 10**9):
            a = rope.rotate(q, None, m + far, heads_axis=None).astype(np.float64)
            b = rope.rotate(k, None, n + far, heads_axis=None).astype(np.float64)
            logits.append((a * b).sum(-1))
        # each of 128 products carries the rounding of two float32 elements
        bound = 128**0.5 * 8 * np.finfo(np.float32).eps * rope.at().attention_factor ** 2 * 4
        assert np.max(np.abs(logits[0] - logits[1])) <= bound


@given(p=st.integers(-(2**62), 2**62), d=st.integers(-(2**61), 2**61), seed=st.integers(0, 2**32 - 1))
def test_scores_depend_only_on_distance(p, d, seed):
    rope = yc.Rope(32)
    q, k = np.random.default_rng(seed).standard_normal((2, 1, 32))
    here = (
        rope.rotate(q, None, np.array([p]), heads_axis=None)
        @ rope.rotate(k, None, np.array([p + d]), heads_axis=None).T
    )
    there = (
        rope.rotate(q, None, np.array([0]), heads_axis=None) @ rope.rotate(k, None, np.array([d]), heads_axis=None).T
    )
    assert abs(here - there) <= 1e-13


@given(seed=st.integers(0, 2**32 - 1), position=st.integers(-(2**63), 2**63 - 1), interleaved=st.booleans())
def test_norm_and_inverse(seed, position, interleaved):
    rotation = yc.Rope(32, interleaved=interleaved, scaling=yc.YaRN(4.0, 128)).at()
    x = np.random.default_rng(seed).standard_normal((1, 32))
    there = rotation.rotate(x, None, np.array([position]), heads_axis=None)
    assert np.linalg.norm(there) == pytest.approx(np.linalg.norm(x) * rotation.attention_factor, rel=1e-14)
    back = rotation.inverse.rotate(there, None, np.array([position]), heads_axis=None)
    assert np.allclose(back, x, rtol=0, atol=1e-14)


def test_chunks_give_the_whole(rng):
    rope = yc.Rope(32)
    x = rng.standard_normal((1, 40, 2, 32)).astype(np.float32)
    whole = rope.rotate(x, None, None, heads_axis=-2)
    parts = [rope.rotate(x[:, i : i + 7], None, i, heads_axis=-2) for i in range(0, 40, 7)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


def test_results_keep_the_order_of_strides(rng):
    x = np.asfortranarray(rng.standard_normal((2, 3, 4, 8)))
    assert yc.Rope(8).rotate(x, None, None, heads_axis=-2).strides == x.strides
    t = torch.randn(2, 4, 3, 8).transpose(1, 2)
    assert yc.Rope(8).rotate(t, None, None, heads_axis=-2).stride() == t.stride()


def test_fused_qkv_views_in_place(rng):
    qkv = rng.standard_normal((2, 5, 3, 4, 16)).astype(np.float32)
    before = qkv.copy()
    q, k, _ = (qkv[:, :, i] for i in range(3))
    yc.Rope(16).rotate_(q, k, None, heads_axis=-2)
    a, b = yc.Rope(16).rotate(before[:, :, 0].copy(), before[:, :, 1].copy(), None, heads_axis=-2)
    assert np.array_equal(qkv[:, :, 0], a)
    assert np.array_equal(qkv[:, :, 1], b)
    assert np.array_equal(qkv[:, :, 2], before[:, :, 2])


def test_large_strides_use_64_bits():
    """Two tokens more than 2^31 elements apart, in memory that is reserved and hardly touched."""
    buffer = np.zeros(2**31 + 2**20, dtype=np.float16)
    x = np.lib.stride_tricks.as_strided(buffer, (2, 4), (2 * (2**31 + 64), 2))
    x[...] = 1
    yc.Rope(4).rotate_(x, None, np.array([1, 2]), heads_axis=None)
    expected = yc.Rope(4).rotate(np.ones((2, 4), dtype=np.float16), None, np.array([1, 2]), heads_axis=None)
    assert np.array_equal(x, expected)
