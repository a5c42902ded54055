"""Every road multiplies queries by their position, and keys by nothing."""

import dask.array as da
import ml_dtypes
import numpy as np
import pytest
import torch
from scales import FROM_ONE, LOG_N, SCALES, STEPS, factors, positions_around_steps

import yarncore as yc
from yarncore.reference import rotate_reference

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.float16), BFLOAT16]
# head_dim, rotary_dim, rotary_start
PARTS = [(16, 16, 0), (80, 80, 0), (128, 128, 0), (24, 16, 0), (80, 48, 16), (192, 64, 128), (6, 2, 3)]
BACKENDS = ["native", "generic"]


def rope_of(scale, head_dim=16, rotary_dim=None, start=0, interleaved=False, scaling=None):
    return yc.Rope(
        head_dim, 1000.0, scaling, rotary_dim, interleaved, rotary_start=start, query_scale=scale
    )  # fmt: skip


def expected(rope, x, positions, query):
    """In float64; heads are the axis before the last."""
    rotation = rope.at()
    y = rotate_reference(
        x, positions[..., None], rotation.inverse_frequencies, rotation.attention_factor, rope.interleaved,
        rope.rotary_start,
    )  # fmt: skip
    return y * factors(rope.query_scale, positions)[..., None, None] if query else y


def close(y, reference, dtype):
    """The factor rounds once and a product beside it, as for the attention factor; then the dtype."""
    arithmetic = np.finfo(np.float64 if dtype == np.float64 else np.float32).eps
    unit = float(ml_dtypes.finfo(dtype).eps)
    size = np.max(np.abs(reference))
    return np.max(np.abs(y.astype(np.float64) - reference)) <= size * (4 * arithmetic + unit + 1e4 * 2.0**-53)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(("head_dim", "rotary_dim", "start"), PARTS)
def test_whole_heads_of_q_are_multiplied_and_k_is_what_it_is_without(
    backend, dtype, interleaved, head_dim, rotary_dim, start, rng
):
    rope = rope_of(FROM_ONE, head_dim, rotary_dim, start, interleaved, yc.YaRN(4.0, 48))
    plain = yc.Rope(head_dim, 1000.0, yc.YaRN(4.0, 48), rotary_dim, interleaved, rotary_start=start)
    q, k = (rng.standard_normal((2, 9, heads, head_dim)).astype(dtype) for heads in (3, 1))
    positions = positions_around_steps(rng, (2, 9))
    q_turned, k_turned = rope.rotate(q, k, positions, backend=backend)
    assert q_turned.dtype == k_turned.dtype == dtype
    assert close(q_turned, expected(rope, q, positions, True), dtype)
    q_plain, k_plain = plain.rotate(q, k, positions, backend=backend)
    assert k_turned.tobytes() == k_plain.tobytes()
    unscaled = factors(rope.query_scale, positions) == 1
    assert q_turned[unscaled].tobytes() == q_plain[unscaled].tobytes()
    assert not np.array_equal(q_turned[~unscaled], q_plain[~unscaled])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scale", SCALES, ids=repr)
class TestWhichAreQueries:
    def rotated(self, scale, backend, rng):
        rope = rope_of(scale, 24, 16)
        q, k = (rng.standard_normal((2, 9, heads, 24)).astype(np.float32) for heads in (3, 1))
        positions = positions_around_steps(rng, (2, 9))
        return rope, q, k, positions, rope.rotate(q, k, positions, backend=backend)

    def test_one_array_is_what_it_is_said_to_be(self, scale, backend, rng):
        rope, q, k, positions, (q_turned, k_turned) = self.rotated(scale, backend, rng)
        assert np.array_equal(rope.rotate(q, None, positions, query=True, backend=backend), q_turned)
        assert np.array_equal(rope.rotate(k, None, positions, query=False, backend=backend), k_turned)

    def test_one_array_of_which_nothing_is_said_is_refused_and_not_touched(self, scale, backend, rng):
        rope, q, _, positions, _ = self.rotated(scale, backend, rng)
        before = q.copy()
        for rotate in (rope.rotate, rope.rotate_, rope.at().rotate, rope.at().rotate_):
            with pytest.raises(TypeError, match="query is required"):
                rotate(q, None, positions, backend=backend)
        assert np.array_equal(q, before)

    def test_two_arrays_may_be_both_or_neither(self, scale, backend, rng):
        rope, q, k, positions, _ = self.rotated(scale, backend, rng)
        for query in (True, False):
            both = rope.rotate(q, k, positions, query=query, backend=backend)
            for x, y in zip((q, k), both, strict=True):
                assert np.array_equal(y, rope.rotate(x, None, positions, query=query, backend=backend))

    def test_in_place_and_into_out_are_the_same(self, scale, backend, rng):
        rope, q, k, positions, turned = self.rotated(scale, backend, rng)
        out = np.empty_like(q), np.full((2, 9, 1, 48), 7.0, dtype=np.float32)[..., ::2]
        rope.rotate(q, k, positions, out=out, backend=backend)
        rope.rotate_(q, k, positions, backend=backend)
        for n, x in enumerate((q, k)):
            assert np.array_equal(x, turned[n])
            assert np.array_equal(out[n], turned[n])

    def test_heads_anywhere_and_elements_apart_are_the_same(self, scale, backend, rng):
        rope, q, k, positions, turned = self.rotated(scale, backend, rng)
        views = [np.moveaxis(x, -2, 1).copy() for x in (q, k)]
        for x, y in zip(rope.rotate(*views, positions, heads_axis=-3, backend=backend), turned, strict=True):
            assert np.array_equal(np.moveaxis(x, 1, -2), y)
        apart = [np.repeat(x, 2, axis=-1)[..., ::2] for x in (q, k)]
        rope.rotate_(*apart, positions, backend=backend)
        for x, y in zip(apart, turned, strict=True):
            assert np.array_equal(x, y)

    def test_prepared_rows_are_the_same(self, scale, backend, rng):
        rope, q, k, positions, turned = self.rotated(scale, backend, rng)
        at = rope.prepare(positions)
        for _ in range(2):  # the second time by what was kept
            assert np.array_equal(at.rotate(k, None, query=False, backend=backend), turned[1])
            for x, y in zip(at.rotate(q, k, backend=backend), turned, strict=True):
                assert np.array_equal(x, y)
            assert np.array_equal(at.rotate(q, None, query=True, backend=backend), turned[0])
            with pytest.raises(TypeError, match="query is required"):
                at.rotate(q, None, backend=backend)
        at.rotate_(q, k, backend=backend)
        assert np.array_equal(q, turned[0])

    def test_counted_positions_are_the_same_as_listed_ones(self, scale, backend, rng):
        rope, q, k, *_ = self.rotated(scale, backend, rng)
        for offset in (0, 60):
            counted = rope.rotate(q, k, offset, heads_axis=-2, backend=backend)
            listed = rope.rotate(q, k, np.arange(offset, offset + 9), backend=backend)
            for x, y in zip(counted, listed, strict=True):
                assert np.array_equal(x, y)

    def test_fractions_have_the_scale_of_fractions(self, scale, backend, rng):
        rope, q, k, *_ = self.rotated(scale, backend, rng)
        positions = np.array([0, 0.5, 46.5, 47, 62.75, 63, 63.5, 64, 200.25])
        turned = rope.rotate(q.astype(np.float64), k.astype(np.float64), positions, backend=backend)
        plain = yc.Rope(24, 1000.0, rotary_dim=16).rotate(
            q.astype(np.float64), k.astype(np.float64), positions, backend=backend
        )  # fmt: skip
        assert np.array_equal(turned[1], plain[1])
        assert np.allclose(turned[0], plain[0] * scale.at(positions)[:, None, None], rtol=1e-15, atol=1e-15)

    def test_every_kind_of_integer_counts_the_same(self, scale, backend, rng):
        rope, q, k, *_ = self.rotated(scale, backend, rng)
        positions = np.array([0, 1, 46, 47, 48, 63, 64, 100, 127])
        turned = rope.rotate(q, k, positions, backend=backend)
        for kind in ("int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64"):
            again = rope.rotate(q, k, positions.astype(kind), backend=backend)
            assert np.array_equal(again[0], turned[0])
            assert np.array_equal(again[1], turned[1])


def test_the_word_query_is_true_false_or_none(rng):
    q = rng.standard_normal((4, 2, 16)).astype(np.float32)
    for rope in (rope_of(STEPS), yc.Rope(16)):
        for wrong in (1, "yes", np.bool_(True)):
            with pytest.raises(TypeError, match=r"query is .*True or False is expected"):
                rope.rotate(q, None, np.arange(4), query=wrong)


def test_a_rope_without_a_query_scale_takes_the_word_and_does_nothing_with_it(rng):
    q, k = rng.standard_normal((2, 4, 2, 16)).astype(np.float32)
    rope, positions = yc.Rope(16), np.arange(4)
    turned = rope.rotate(q, k, positions)
    for query in (None, True, False):
        assert np.array_equal(rope.rotate(q, k, positions, query=query)[0], turned[0])
        assert np.array_equal(rope.rotate(q, None, positions, query=query), turned[0])
        assert np.array_equal(rope.prepare(positions).rotate(q, None, query=query), turned[0])


def test_rows_of_lengths_have_the_scale_of_their_tokens(rng):
    rope = rope_of(STEPS, scaling=yc.DynamicYaRN(64))
    plain = yc.Rope(16, 1000.0, yc.DynamicYaRN(64))
    q, k = rng.standard_normal((2, 3, 9, 2, 16))
    positions = positions_around_steps(rng, (3, 9))
    length = np.array([[64], [200], [6000]])
    turned, without = (one.rotate(q, k, positions, length=length) for one in (rope, plain))
    assert np.array_equal(turned[1], without[1])
    assert np.allclose(turned[0], without[0] * factors(STEPS, positions)[..., None, None], rtol=1e-14, atol=1e-14)


def test_a_reversed_rope_scales_by_the_position_and_not_by_its_negative(rng):
    rope = yc.Rope(16, 1000.0, reversed=True, query_scale=STEPS)
    q, k = rng.standard_normal((2, 9, 2, 16)).astype(np.float32)
    positions = positions_around_steps(rng, (9,))
    assert np.array_equal(rope.rotate(q, k, positions)[1], rope_of(STEPS).rotate(q, k, -positions)[1])
    plain = yc.Rope(16, 1000.0, reversed=True).rotate(q, None, positions)
    assert np.allclose(
        rope.rotate(q, k, positions)[0], plain * factors(STEPS, positions)[:, None, None], rtol=1e-6, atol=1e-6
    )


def test_blocks_of_dask_are_what_the_whole_is(rng):
    rope = rope_of(LOG_N, 24, 16)
    q, k = (rng.standard_normal((40, heads, 24)).astype(np.float32) for heads in (3, 1))
    positions = positions_around_steps(rng, (40,))
    turned = rope.rotate(q, k, positions)
    lazy = [da.from_array(x, chunks=(7, 2, -1)) for x in (q, k)]
    for x, y in zip(rope.rotate(*lazy, positions), turned, strict=True):
        assert np.array_equal(x.compute(), y)
    scaled, not_scaled = (rope.rotate(lazy[0], None, positions, query=query) for query in (True, False))
    assert scaled.name != not_scaled.name


def test_cos_and_sin_are_those_of_keys():
    positions = np.array([0, 63, 64, 5000])
    for with_scale, without in zip(rope_of(STEPS).cos_sin(positions), yc.Rope(16, 1000.0).cos_sin(positions)):
        assert np.array_equal(with_scale, without)


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict", "jax"])
def test_array_operations_of_every_framework_say_the_same(namespace, rng):
    from conftest import NAMESPACES

    xp = NAMESPACES[namespace]
    rope = rope_of(FROM_ONE, 24, 16)
    q, k = (rng.standard_normal((9, heads, 24)).astype(np.float32) for heads in (3, 1))
    positions = positions_around_steps(rng, (9,))
    turned = rope.rotate(q, k, positions, backend="generic")
    made = rope.rotate(xp.asarray(q), xp.asarray(k), xp.asarray(positions.astype(np.int32)), backend="generic")
    for x, y in zip(made, turned, strict=True):
        assert np.allclose(np.asarray(x), y, rtol=0, atol=4 * 2.0**-23 * np.abs(y).max())


def test_gradients_are_the_adjoint_s(rng):
    rope = rope_of(STEPS, 24, 16)
    q, k = (torch.from_numpy(rng.standard_normal((9, heads, 24))).requires_grad_() for heads in (3, 1))
    positions = torch.from_numpy(positions_around_steps(rng, (9,)))
    assert torch.autograd.gradcheck(lambda q, k: rope.rotate(q, k, positions), (q, k))
    assert torch.autograd.gradcheck(lambda q: rope.rotate(q, None, positions, query=True), (q,))
    adjoint = rope.at().adjoint
    turned = rope.rotate(q, k, positions)
    weights = [torch.from_numpy(rng.standard_normal(tuple(y.shape))) for y in turned]
    sum((y * w).sum() for y, w in zip(turned, weights)).backward()
    for gradient, wanted in zip((q.grad, k.grad), adjoint.rotate(*weights, positions)):
        assert torch.equal(gradient, wanted)
