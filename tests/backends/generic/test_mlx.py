"""MLX on its CPU: the generic road in 32-bit words."""

import mlx.core as mx
import numpy as np
import pytest

import yarncore as yc

ROPES = {
    "yarn, partial": yc.Rope(16, rotary_dim=12, rotary_start=3, scaling=yc.YaRN(4.0, 64)),
    "interleaved": yc.Rope(16, interleaved=True, scaling=yc.Llama3(8.0, 64)),
    "stepped": yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling")),
    "sections": yc.Rope(16, sections=(3, 3, 2)),
}


def arguments(name, rng):
    q, k = (rng.standard_normal((2, 5, heads, 16), dtype=np.float32) for heads in (4, 2))
    positions = rng.integers(-(2**31) + 1, 2**31 - 1, (3, 2, 5) if name == "sections" else (2, 5))
    return q, k, positions, {"length": 300} if name == "stepped" else {}


@pytest.mark.parametrize("name", ROPES)
@pytest.mark.parametrize("how", ["positions of NumPy", "positions of MLX", "compiled", "offset"])
def test_against_the_extension(name, how, rng):
    rope = ROPES[name]
    q, k, positions, more = arguments(name, rng)
    if how == "offset":
        positions = [[[7]]] * 3 if name == "sections" else 100_000
    expected = rope.rotate(q, k, positions, heads_axis=-2, **more)
    given = mx.array(positions, dtype=mx.int32) if how in ("positions of MLX", "compiled") else positions

    def rotate(q, k):
        return rope.rotate(q, k, given, heads_axis=-2, **more)

    results = (mx.compile(rotate) if how == "compiled" else rotate)(mx.array(q), mx.array(k))
    for y, e in zip(results, expected, strict=True):
        assert isinstance(y, mx.array)
        assert y.dtype == mx.float32
        assert np.max(np.abs(np.asarray(y) - e)) <= 2.0**-21 * np.max(np.abs(e))


def test_cos_and_sin_below_2_31(rng):
    positions = rng.integers(0, 2**31 - 1, 1000).astype(np.int32)
    rope = yc.Rope(128)
    cos, sin = rope.cos_sin(mx.array(positions))
    exact_cos, exact_sin = rope.cos_sin(positions, dtype=np.float64)
    assert np.max(np.abs(np.asarray(cos) - exact_cos)) <= 2.0**-23
    assert np.max(np.abs(np.asarray(sin) - exact_sin)) <= 2.0**-23


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16])
def test_16_bit_elements(dtype, rng):
    x = rng.standard_normal((2, 5, 4, 16), dtype=np.float32)
    rope = ROPES["yarn, partial"]
    y = rope.rotate(mx.array(x).astype(dtype), None, None, heads_axis=-2)
    assert y.dtype == dtype
    assert np.allclose(np.asarray(y.astype(mx.float32)), rope.rotate(x, None, None, heads_axis=-2), atol=0.05)


def test_gradients_and_vmap(rng):
    rope = ROPES["yarn, partial"]
    x = rng.standard_normal((3, 5, 16), dtype=np.float32)
    upstream = rng.standard_normal(x.shape, dtype=np.float32)
    g = mx.grad(lambda t: (rope.rotate(t, None, 7, heads_axis=None) * mx.array(upstream)).sum())(mx.array(x))
    assert np.allclose(g, rope.at().adjoint.rotate(upstream, None, 7, heads_axis=None), atol=1e-6)
    mapped = mx.vmap(lambda t: rope.rotate(t, None, 7, heads_axis=None))(mx.array(x))
    assert np.allclose(mapped, rope.rotate(x, None, 7, heads_axis=None), atol=1e-6)


def test_what_is_refused():
    x = mx.ones((2, 5, 4, 16))
    rope = ROPES["yarn, partial"]
    with pytest.raises(ValueError, match="beyond int32, which mlx computes in"):
        rope.rotate(x, None, 2**31, heads_axis=-2)
    with pytest.raises(TypeError, match="mlx, which is immutable"):
        rope.rotate_(x, None, 3, heads_axis=-2)
    with pytest.raises(yc.BackendUnavailable, match="not on mlx"):
        rope.rotate(x, None, 3, heads_axis=-2, backend="native")
    assert yc.backend_for(x).name == "generic"
