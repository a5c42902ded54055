"""Positions prepared once for many calls: the bits of the plain call, in every road."""

import copy
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import yarncore as yc
from yarncore.request import prepared as limits

PLAIN = yc.Rope(16, scaling=yc.YaRN(4.0, 64))
STEPPED = yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling"))
ROPES = {
    "plain": PLAIN,
    "partial, interleaved": yc.Rope(16, rotary_dim=6, interleaved=True),
    "40 pairs": yc.Rope(84, rotary_dim=80),
}
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
POSITIONS = np.array([[3, 0, 5, -7, 2**40], [0, 0, 1, 1, 2]])
LENGTHS = np.array([[70], [500]])


def data(rope, dtype, heads=3):
    return np.random.default_rng(0).standard_normal((2, heads, 5, rope.head_dim)).astype(dtype)


def same(x, y):
    return np.asarray(x).tobytes() == np.asarray(y).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROPES)
def test_calls_have_the_bits_of_plain_ones(name, dtype):
    rope = ROPES[name]
    q, k = data(rope, dtype), data(rope, dtype, 1)
    at = rope.prepare(POSITIONS)
    expected = rope.rotate(q, k, POSITIONS, heads_axis=-3)
    for _ in range(3):  # the first makes the rows, the others come by the short cut
        assert all(map(same, at.rotate(q, k, heads_axis=-3), expected))
    assert same(at.rotate(q, None, heads_axis=-3), expected[0])
    out = np.empty_like(q)
    assert at.rotate(q, None, heads_axis=-3, out=out) is out
    assert same(out, expected[0])
    returned = at.rotate_(q, k, heads_axis=-3)
    assert returned[0] is q
    assert returned[1] is k
    assert same(q, expected[0])
    assert same(k, expected[1])


def test_arrays_of_other_types_have_rows_of_their_own():
    at = PLAIN.prepare(POSITIONS)
    for dtype in (*DTYPES, *DTYPES):
        q = data(PLAIN, dtype)
        assert same(at.rotate(q, None, heads_axis=-3), PLAIN.rotate(q, None, POSITIONS, heads_axis=-3))
    q, k = data(PLAIN, np.float64), data(PLAIN, np.float32)
    assert all(map(same, at.rotate(q, k, heads_axis=-3), PLAIN.rotate(q, k, POSITIONS, heads_axis=-3)))


@pytest.mark.parametrize("rope", [STEPPED, yc.Rope(16, scaling=yc.DynamicYaRN(64))], ids=["stepped", "continuous"])
@pytest.mark.parametrize("positions", [POSITIONS, POSITIONS[:1], POSITIONS[0]], ids=["each", "(1, S)", "(S,)"])
def test_lengths_in_rows_are_resolved_with_the_positions(rope, positions):
    q = data(rope, np.float32)
    at = rope.prepare(positions, length=LENGTHS)
    for _ in range(2):
        assert same(at.rotate(q, None, heads_axis=-3), rope.rotate(q, None, positions, heads_axis=-3, length=LENGTHS))


def test_tokens_at_the_origin_keep_every_bit():
    q = np.full((1, 1, 16), np.nan, np.float32)
    q.view(np.uint32)[...] = 0x7FA12345  # a signalling NaN
    at = yc.Rope(16).prepare([0])
    for _ in range(2):
        assert same(at.rotate(q, None), q)


@pytest.mark.parametrize("order", ["contiguous", "interleaved"])
def test_sections(order):
    rope = yc.Rope(16, sections=(4, 2, 2), section_order=order)
    positions = np.stack([POSITIONS, POSITIONS + 1, POSITIONS * 0])
    q = data(rope, np.float32)
    at = rope.prepare(positions)
    for _ in range(2):
        assert same(at.rotate(q, None, heads_axis=-3), rope.rotate(q, None, positions, heads_axis=-3))
    with pytest.raises(ValueError, match="sections"):
        rope.prepare(POSITIONS)


def test_fractional_positions():
    positions = np.array([0.5, -1.25, 0.0, 1e-30, 7.75])
    q = data(PLAIN, np.float32)
    at = PLAIN.prepare(positions)
    for _ in range(2):
        assert same(at.rotate(q, None, heads_axis=-3), PLAIN.rotate(q, None, positions, heads_axis=-3))


def test_re_rotation_by_one_preparation():
    old, new = STEPPED.at(60), STEPPED.at(200)
    keys = [data(PLAIN, np.float32) for _ in range(3)]
    expected = [yc.rerotate_(x.copy(), POSITIONS, old, new, heads_axis=-3) for x in keys]
    at = (new @ old.inverse).prepare(POSITIONS)
    for x, wanted in zip(keys, expected):
        assert same(at.rotate_(x, None, heads_axis=-3), wanted)


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 3), st.sampled_from([-2, -3]), st.booleans())
def test_any_shape_and_stride(batch, tokens, heads, axis, strided):
    rng = np.random.default_rng(batch * 100 + tokens)
    shape = (batch, tokens, heads, 16) if axis == -2 else (batch, heads, tokens, 16)
    q = rng.standard_normal((*shape[:-1], 32 if strided else 16)).astype(np.float32)[..., :: 2 if strided else 1]
    positions = rng.integers(0, 500, (batch, tokens))
    at = PLAIN.prepare(positions)
    for _ in range(2):
        assert same(at.rotate(q, None, heads_axis=axis), PLAIN.rotate(q, None, positions, heads_axis=axis))


def test_the_positions_are_those_of_the_preparation_whatever_happens_to_them():
    for positions in (POSITIONS.copy(), torch.tensor(POSITIONS)):
        q = data(PLAIN, np.float32)
        q = q if isinstance(positions, np.ndarray) else torch.tensor(q)
        expected = PLAIN.rotate(q, None, positions, heads_axis=-3)
        at = PLAIN.prepare(positions)
        positions += 1
        assert same(at.rotate(q, None, heads_axis=-3), expected)


def test_more_rows_than_are_kept_are_made_in_each_call(monkeypatch):
    monkeypatch.setattr(limits, "LARGEST_KEPT", 100)
    q, at = data(PLAIN, np.float32), PLAIN.prepare(POSITIONS)
    assert same(at.rotate(q, None, heads_axis=-3), PLAIN.rotate(q, None, POSITIONS, heads_axis=-3))
    assert not at._prepared.kept


class TestTorch:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
    def test_gradients_are_those_of_plain_calls(self, dtype):
        at, positions = PLAIN.prepare(torch.tensor(POSITIONS)), torch.tensor(POSITIONS)
        for _ in range(2):
            q = torch.tensor(data(PLAIN, np.float32)).to(dtype).requires_grad_()
            weights = torch.randn_like(q)
            (at.rotate(q, None, heads_axis=-3) * weights).sum().backward()
            mine, q.grad = q.grad, None
            (PLAIN.rotate(q, None, positions, heads_axis=-3) * weights).sum().backward()
            assert torch.equal(mine, q.grad)

    def test_functional_transforms(self):
        at, positions = PLAIN.prepare(torch.tensor(POSITIONS)), torch.tensor(POSITIONS)
        q = torch.tensor(data(PLAIN, np.float32))
        many = torch.stack([q, 2 * q])
        assert torch.equal(
            torch.func.vmap(lambda x: at.rotate(x, None, heads_axis=-3))(many),
            torch.func.vmap(lambda x: PLAIN.rotate(x, None, positions, heads_axis=-3))(many),
        )
        for transform in (torch.func.grad, torch.func.jacrev):
            got = transform(lambda x: at.rotate(x, None, heads_axis=-3).square().sum())(q)
            assert torch.equal(
                got, transform(lambda x: PLAIN.rotate(x, None, positions, heads_axis=-3).square().sum())(q)
            )

    @pytest.mark.parametrize("dynamic", [False, True])
    def test_compiled_with_the_preparation_inside(self, dynamic):
        def layers(q, positions):
            at = PLAIN.prepare(positions)
            return [at.rotate(scale * q, q, heads_axis=-3) for scale in (1.0, 2.0)]

        compiled = torch.compile(layers, fullgraph=True, backend="aot_eager", dynamic=dynamic)
        for tokens in (5, 7):
            q = torch.randn(2, 3, tokens, 16, requires_grad=True)
            positions = torch.randint(0, 500, (2, tokens))
            for mine, wanted in zip(compiled(q, positions), layers(q, positions)):
                assert all(map(torch.equal, mine, wanted))
            (mine,) = torch.autograd.grad(sum(a.square().sum() for a, _ in compiled(q, positions)), q)
            (wanted,) = torch.autograd.grad(sum(a.square().sum() for a, _ in layers(q, positions)), q)
            assert torch.allclose(mine, wanted, atol=1e-5)

    def test_compiled_with_the_preparation_inside_in_float64_and_in_place(self):
        def layer(q, positions):
            return PLAIN.prepare(positions).rotate(q, None, heads_axis=-3)

        q, positions = torch.randn(2, 3, 5, 16, dtype=torch.float64), torch.tensor(POSITIONS)
        assert torch.equal(torch.compile(layer, fullgraph=True, backend="aot_eager")(q, positions), layer(q, positions))

    def test_compiled_with_the_preparation_outside(self):
        at = PLAIN.prepare(torch.tensor(POSITIONS))
        q = torch.tensor(data(PLAIN, np.float32))
        compiled = torch.compile(lambda x: at.rotate(x, None, heads_axis=-3), fullgraph=True, backend="aot_eager")
        assert torch.equal(compiled(q), at.rotate(q, None, heads_axis=-3))
        assert torch.equal(compiled(q), at.rotate(q, None, heads_axis=-3))

    def test_inference_mode_before_training(self):
        at = PLAIN.prepare(torch.tensor(POSITIONS))
        q = torch.tensor(data(PLAIN, np.float32))
        with torch.inference_mode():
            first = at.rotate(q, None, heads_axis=-3, backend="generic")
        x = q.clone().requires_grad_()
        at.rotate(x, None, heads_axis=-3, backend="generic").sum().backward()
        assert np.array_equal(first.numpy(), at.rotate(q, None, heads_axis=-3, backend="generic").numpy())

    def test_positions_of_another_device_are_refused(self):
        at = PLAIN.prepare(torch.zeros(2, 5, dtype=torch.int64, device="meta"))
        with pytest.raises(ValueError, match="positions is on meta and q on cpu"):
            at.rotate(torch.zeros(2, 3, 5, 16), None, heads_axis=-3)


def test_jax_inside_and_outside_of_jit():
    q = jnp.asarray(data(PLAIN, np.float32))
    positions = jnp.asarray(POSITIONS % 1000)
    expected = PLAIN.rotate(q, None, positions, heads_axis=-3)
    at = PLAIN.prepare(positions)
    for _ in range(2):
        assert same(at.rotate(q, None, heads_axis=-3), expected)
        assert same(jax.jit(lambda x: at.rotate(x, None, heads_axis=-3))(q), expected)
        assert same(at.rotate(q, None, heads_axis=-3), expected)  # nothing traced was kept
    assert same(jax.jit(lambda x, p: PLAIN.prepare(p).rotate(x, None, heads_axis=-3))(q, positions), expected)


def test_cos_and_sin_are_those_of_the_rope():
    at = PLAIN.prepare(POSITIONS)
    assert all(map(same, at.cos_sin(dtype=np.float32), PLAIN.cos_sin(POSITIONS, dtype=np.float32)))


@pytest.mark.parametrize(
    ("positions", "error", "says"),
    [
        (None, TypeError, "an array is expected"),
        (7, TypeError, "an array is expected"),
        (np.array(7), ValueError, r"shape \(\); an axis of tokens"),
        ("abc", TypeError, "an array is expected"),
        ([1.0, np.nan], ValueError, "finite"),
        (np.ones(3, dtype=complex), TypeError, "complex"),
        (np.ones(3, dtype=np.float16), ValueError, "float16"),
    ],
)
def test_what_cannot_be_prepared_is_told_why(positions, error, says):
    with pytest.raises(error, match=says):
        PLAIN.prepare(positions)


@pytest.mark.parametrize("shape", [(2, 3, 4, 16), (3, 3, 5, 16), (5, 16)])
def test_another_shape_is_refused_before_and_after_the_rows_are_made(shape):
    at = PLAIN.prepare(POSITIONS)
    for _ in range(2):
        with pytest.raises(ValueError, match="positions has shape"):
            at.rotate(np.zeros(shape, np.float32), None, heads_axis=-3 if len(shape) > 2 else None)
        at.rotate(data(PLAIN, np.float32), None, heads_axis=-3)


def test_lengths_that_do_not_fit_the_positions_are_refused():
    with pytest.raises(ValueError, match="do not broadcast"):
        STEPPED.prepare(POSITIONS, length=[[1], [2], [3]])
    with pytest.raises(TypeError, match="length is required"):
        STEPPED.prepare(POSITIONS)


def test_positions_of_another_framework_are_refused():
    with pytest.raises(TypeError, match="torch and q of numpy"):
        PLAIN.prepare(torch.tensor(POSITIONS)).rotate(data(PLAIN, np.float32), None, heads_axis=-3)


def test_it_is_hashable_by_identity_and_can_be_copied():
    at, other = PLAIN.prepare(POSITIONS), PLAIN.prepare(POSITIONS)
    q = data(PLAIN, np.float32)
    expected = at.rotate(q, None, heads_axis=-3)
    assert at != other
    assert len({at, other}) == 2
    for again in (pickle.loads(pickle.dumps(at)), copy.deepcopy(at)):
        assert same(again.rotate(q, None, heads_axis=-3), expected)
    assert "(2, 5)" in repr(at)


def test_no_tokens():
    at = PLAIN.prepare(np.zeros((2, 0), dtype=int))
    for _ in range(2):
        assert at.rotate(np.zeros((2, 3, 0, 16), np.float32), None, heads_axis=-3).shape == (2, 3, 0, 16)


def test_the_short_cut_knows_torch_although_nothing_was_rotated_before():
    code = """
import torch, yarncore as yc
from yarncore.rotation import prepared
x = torch.ones(1, 1, 1, 8)
at = yc.Rope(8).prepare(torch.tensor([[3]]))
at.rotate_(x, None, heads_axis=-3)
prepared.run = None  # the road of calls that the extension declines
at.rotate_(x, None, heads_axis=-3)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_slice_in_the_middle_of_the_head(dtype):
    rope = yc.Rope(24, rotary_start=5, rotary_dim=12, interleaved=True)
    q, at = data(rope, dtype), rope.prepare(POSITIONS)
    expected = rope.rotate(q, None, POSITIONS, heads_axis=-3)
    for _ in range(2):
        assert same(at.rotate(q, None, heads_axis=-3), expected)
    assert same(at.rotate_(q, None, heads_axis=-3), expected)
