"""Lengths that are not known yet: under jax.jit and torch.compile, one compile for 20 lengths, equal to eager."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounter, CompileCounterWithBackend

import yarncore as yc

L = 4096
STEPPED = {
    "doubling": yc.DynamicYaRN(L, steps="doubling"),
    "steps": yc.DynamicYaRN(L, steps=(1.5, 4.0, 32.0), max_factor=32.0),
    "LongRoPE": yc.LongRoPE(
        short_factor=[1.0 + i / 64 for i in range(16)],
        long_factor=[1.0 + i for i in range(16)],
        original_length=L,
        factor=32.0,
    ),
}
CONTINUOUS = {
    "DynamicYaRN": yc.DynamicYaRN(L),
    "DynamicYaRN, bounded": yc.DynamicYaRN(L, max_factor=4.0, ramp="rotations"),
    "DynamicNTK": yc.DynamicNTK(L, 2.0),
    "DynamicPositionInterpolation": yc.DynamicPositionInterpolation(L),
}
STATIC = {
    "plain": None,
    "PositionInterpolation": yc.PositionInterpolation(8.0),
    "NTKAware": yc.NTKAware(8.0),
    "NTKByParts": yc.NTKByParts(16.0, L),
    "YaRN": yc.YaRN(16.0, L),
    "Llama3": yc.Llama3(8.0, L),
    "Proportional": yc.Proportional(0.5),
}
LENGTHS = [np.array([[100 + 7 * n], [L + (n % 3)], [L + 1500 * n]], dtype=np.int32) for n in range(20)]
POSITIONS = np.arange(5) + 1000


@pytest.fixture
def q(rng):
    return rng.standard_normal((3, 5, 4, 32)).astype(np.float32)


class TestJax:
    @pytest.mark.parametrize("x64", [False, True])
    @pytest.mark.parametrize("name", [*STEPPED, *STATIC])
    def test_stepped_is_eager_bit_for_bit_with_one_compile(self, name, x64, q):
        rope = yc.Rope(32, scaling=(STEPPED | STATIC)[name])
        compiled = []

        @jax.jit
        def rotate(x, length):
            compiled.append(1)
            return rope.rotate(x, None, POSITIONS, length=length)

        with jax.enable_x64(x64):
            for lengths in LENGTHS:
                jitted = rotate(jnp.asarray(q), jnp.asarray(lengths))
                eager = rope.rotate(jnp.asarray(q), None, POSITIONS, length=jnp.asarray(lengths))
                assert jnp.array_equal(jitted, eager)
                native = rope.rotate(q, None, POSITIONS, length=lengths)
                # without 64 bits: cos and sin within 2^-23, two products each
                assert np.max(np.abs(np.asarray(jitted) - native)) <= (0 if x64 else 2.0**-20)
        assert len(compiled) == 1

    @pytest.mark.parametrize("x64", [False, True])
    @pytest.mark.parametrize("name", CONTINUOUS)
    def test_continuous_is_as_exact_as_the_widest_float(self, name, x64, q):
        rope = yc.Rope(32, scaling=CONTINUOUS[name])
        compiled = []

        @jax.jit
        def rotate(x, length):
            compiled.append(1)
            return rope.rotate(x, None, POSITIONS, length=length)

        with jax.enable_x64(x64):
            for lengths in LENGTHS:
                jitted = np.asarray(rotate(jnp.asarray(q), jnp.asarray(lengths)))
                eager = np.asarray(rope.rotate(jnp.asarray(q), None, POSITIONS, length=jnp.asarray(lengths)))
                # a float32 frequency is off by a few 2^-24, and the angle by position times that
                bound = 2.0**-22 if x64 else POSITIONS.max() * 2.0**-24 * 8 * 4
                assert np.max(np.abs(jitted - eager)) <= bound
        assert len(compiled) == 1

    def test_frequencies_under_jit(self):
        for scaling in (STEPPED | CONTINUOUS).values():
            rope = yc.Rope(32, scaling=scaling)
            with jax.enable_x64(True):
                inverse = jax.jit(lambda n, rope=rope: rope.at(n).inverse_frequencies)(jnp.asarray(LENGTHS[9]))
                factor = jax.jit(lambda n, rope=rope: rope.at(n).attention_factor)(jnp.asarray(LENGTHS[9]))
                softmax = jax.jit(lambda n, rope=rope: rope.at(n).softmax_scale_factor)(jnp.asarray(LENGTHS[9]))
            concrete = rope.at(LENGTHS[9])
            assert inverse.shape == (3, 1, 16)
            assert np.allclose(inverse, concrete.inverse_frequencies, rtol=4e-15, atol=0)
            assert np.allclose(factor, concrete.attention_factor, rtol=4e-15, atol=0)
            assert np.allclose(softmax, concrete.softmax_scale_factor, rtol=4e-15, atol=0)


class TestTorch:
    @pytest.mark.parametrize("name", [*STEPPED, *CONTINUOUS, *STATIC])
    def test_one_graph_for_20_lengths(self, name, q):
        torch._dynamo.reset()
        rope = yc.Rope(32, scaling=(STEPPED | CONTINUOUS | STATIC)[name])
        counter = CompileCounter()

        def rotate(x, positions, length):
            return rope.rotate(x, None, positions, length=length)

        compiled = torch.compile(rotate, fullgraph=True, backend=counter)
        x, positions = torch.from_numpy(q), torch.from_numpy(POSITIONS)
        for lengths in LENGTHS:
            traced = compiled(x, positions, torch.from_numpy(lengths))
            eager = rotate(x, positions, torch.from_numpy(lengths))
            if name in CONTINUOUS:  # the formula in torch's float64 and in NumPy's
                assert torch.allclose(traced, eager, rtol=0, atol=2e-6)
            else:
                assert torch.equal(traced, eager)
        assert counter.frame_count == 1

    def test_inductor_gives_the_bits_of_eager_when_stepped(self, q):
        torch._dynamo.reset()
        rope = yc.Rope(32, scaling=STEPPED["doubling"])
        counter = CompileCounterWithBackend("inductor")
        compiled = torch.compile(lambda x, p, n: rope.rotate(x, None, p, length=n), fullgraph=True, backend=counter)
        x, positions = torch.from_numpy(q), torch.from_numpy(POSITIONS)
        for lengths in LENGTHS[:20]:
            traced = compiled(x, positions, torch.from_numpy(lengths))
            assert torch.equal(traced, rope.rotate(x, None, positions, length=torch.from_numpy(lengths)))
        assert counter.frame_count == 1

    def test_in_place_q_and_k_with_offsets(self, q):
        torch._dynamo.reset()
        rope = yc.Rope(32)
        compiled = torch.compile(lambda a, b: rope.rotate(a, b, 3, heads_axis=-2), fullgraph=True, backend="eager")
        a, b = torch.from_numpy(q), torch.from_numpy(q[:, :, :1].copy())
        for x, y in zip(compiled(a, b), rope.rotate(a, b, 3, heads_axis=-2), strict=True):
            assert torch.equal(x, y)


def test_gradients_flow_through_the_generic_road(q):
    rope = yc.Rope(32, scaling=yc.YaRN(4.0, L))
    x = torch.from_numpy(q).double().requires_grad_()
    positions = torch.from_numpy(POSITIONS)
    small = torch.randn(1, 5, 1, 32, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: rope.rotate(t, None, positions), (small,))
    y = rope.rotate(x, None, positions)
    gradient = torch.randn_like(y)
    y.backward(gradient)
    expected = rope.at().adjoint.rotate(gradient, None, positions)
    assert torch.allclose(x.grad, expected, rtol=0, atol=1e-14)
    with jax.enable_x64(True):
        g = jax.grad(lambda t: (rope.rotate(t, None, POSITIONS) * gradient.numpy()).sum())(
            jnp.asarray(q, dtype=jnp.float64)
        )
    assert np.allclose(g, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", [*STEPPED, *CONTINUOUS, *STATIC])
def test_scalings_in_every_namespace(name, xp):
    """rope.at(length, xp): the formulas evaluated in that namespace give NumPy's numbers."""
    rope = yc.Rope(32, scaling=(STEPPED | CONTINUOUS | STATIC)[name])
    for length in (None, 100, L, L + 1, 3 * L, 100 * L):
        there, here = rope.at(length, xp=xp), rope.at(length)
        assert np.allclose(np.asarray(there.inverse_frequencies), here.inverse_frequencies, rtol=4e-15, atol=0)
        assert float(there.attention_factor) == pytest.approx(here.attention_factor, rel=4e-15)
        assert float(there.softmax_scale_factor) == pytest.approx(here.softmax_scale_factor, rel=4e-15)


def test_frameworks_themselves_are_namespaces():
    rope = yc.Rope(32, scaling=yc.YaRN(4.0, L))
    assert isinstance(rope.at(xp=torch).inverse_frequencies, torch.Tensor)
    assert rope.at(xp=np) is rope.at()
    with pytest.raises(TypeError, match="xp is 3"):
        rope.at(xp=3)


@pytest.mark.parametrize("name", [*STEPPED, *CONTINUOUS])
def test_lengths_as_arrays_of_each_namespace(name, xp):
    rope = yc.Rope(32, scaling=(STEPPED | CONTINUOUS)[name])
    rotation = rope.at(xp.asarray(LENGTHS[5]))
    assert np.array_equal(np.asarray(rotation.inverse_frequencies), rope.at(LENGTHS[5]).inverse_frequencies)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64"])
def test_lengths_of_any_integer_dtype_under_jit(dtype):
    rope = yc.Rope(32, scaling=STEPPED["doubling"])
    with jax.enable_x64(True):
        lengths = np.array([[1], [np.iinfo(dtype).max // 3], [np.iinfo(dtype).max]], dtype=dtype)
        lengths = np.minimum(lengths, np.array(min(2**50, np.iinfo(dtype).max), dtype=dtype))
        jitted = jax.jit(lambda n: rope.at(n).inverse_frequencies)(jnp.asarray(lengths))
    assert np.array_equal(jitted, rope.at(lengths).inverse_frequencies)
