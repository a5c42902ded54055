"""Scaled queries through compilers and on the GPU's kernel: the extension's bits."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch
from scales import FROM_ONE, LOG_N, SCALES, STEPS, positions_around_steps

import yarncore as yc

sys.path.append(str(Path(__file__).parents[1] / "cuda"))
import host_kernel
from host_backend import HostBackend

# head_dim, rotary_dim, rotary_start, interleaved
PARTS = [
    (64, 64, 0, False),
    (64, 64, 0, True),
    (64, 32, 0, False),
    (48, 16, 16, True),
    (20, 12, 4, False),
    (10, 6, 2, True),
]


def rope_of(scale, head_dim=64, rotary_dim=48, start=8, interleaved=False, **more):
    return yc.Rope(
        head_dim, 1000.0, yc.YaRN(4.0, 64), rotary_dim, interleaved, rotary_start=start, query_scale=scale, **more
    )  # fmt: skip


def pair(rng, dtype=np.float32, head_dim=64, tokens=(2, 9)):
    return tuple(rng.standard_normal((*tokens, heads, head_dim)).astype(np.float32).astype(dtype) for heads in (3, 1))


def same(results, expected):
    for y, e in zip(results, expected, strict=True):
        assert np.array_equal(np.ascontiguousarray(y).view(np.uint8), np.ascontiguousarray(e).view(np.uint8))


def test_every_instruction_set_gives_the_same_bits(instruction_set, rng):
    for head_dim, rotary_dim, start, interleaved in PARTS:
        for dtype in (np.float32, np.float16, ml_dtypes.bfloat16):
            rope = rope_of(FROM_ONE, head_dim, rotary_dim, start, interleaved)
            arrays, positions = pair(rng, dtype, head_dim), positions_around_steps(rng, (2, 9))
            same(rope.rotate(*arrays, positions, backend="native"), rope.rotate(*arrays, positions, backend="generic"))


def test_many_tokens_in_blocks_and_threads_are_what_each_alone_is(rng):
    rope = rope_of(STEPS)
    q, k = (rng.standard_normal((1, heads, 9000, 64)).astype(np.float32) for heads in (8, 2))
    turned = rope.rotate(q, k, None, heads_axis=-3)
    for token in (0, 62, 63, 64, 5000, 8999):
        alone = rope.rotate(q[:, :, token], k[:, :, token], np.array([token]))
        same([x[:, :, token] for x in turned], alone)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16], ids=lambda d: np.dtype(d).name)
class TestTheKernelOfTheGPU:
    def test_has_the_bits_of_the_extension(self, dtype, rng):
        for (head_dim, rotary_dim, start, interleaved), scale in zip(PARTS, SCALES * 2):
            rotation = rope_of(scale, head_dim, rotary_dim, start, interleaved).at()
            for in_place in (False, True):
                arrays = pair(rng, dtype, head_dim)
                positions = positions_around_steps(rng, (2, 9))
                expected = rotation.rotate(*arrays, positions)
                results, plan = host_kernel.rotate(rotation, *arrays, positions, in_place=in_place)
                assert len(plan) == 1
                same(results, expected)

    def test_scales_counted_far_and_single_arrays(self, dtype, rng):
        rotation = rope_of(LOG_N).at()
        q, k = pair(rng, dtype)
        for positions in (None, 60, 2**40, -70):
            results, _ = host_kernel.rotate(rotation, q, k, positions, heads_axis=-2)
            same(results, rotation.rotate(q, k, positions, heads_axis=-2))
        inverse = rotation.inverse
        results, _ = host_kernel.rotate(inverse, q, k, 60, heads_axis=-2)
        same(results, inverse.rotate(q, k, 60, heads_axis=-2))

    def test_appends_scaled_queries_and_keys_as_they_are(self, dtype, rng, monkeypatch):
        from yarncore.backends import paged

        rotation = rope_of(STEPS).at()
        kind = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[np.dtype(dtype).name]
        q, k = (torch.randn(9, heads, 64).to(kind) for heads in (4, 2))
        positions = torch.from_numpy(positions_around_steps(rng, (9,)))
        slots = torch.tensor([3, 1, 0, 2, 7, -1, 5, 6, 8])
        results = []
        for backends in (paged.BACKENDS, (HostBackend(),)):
            monkeypatch.setattr(paged, "BACKENDS", backends)
            if results:
                monkeypatch.setattr("yarncore.paged_cache.attempt_append", lambda *arguments: None)
            cache = torch.zeros(3, 4, 2, 64, dtype=kind)
            rotated = yc.append_(rotation, q, k, None, positions, key_cache=cache, slots=slots)
            results.append((cache, rotated))
        assert all(torch.equal(a, b) for a, b in zip(*results))
        assert torch.equal(results[0][1], rotation.rotate(q, None, positions, query=True))


def test_slots_on_a_device_have_the_scale_of_their_positions(rng):
    rotation = rope_of(STEPS).at()
    x = rng.standard_normal((4, 8, 2, 64)).astype(np.float32)
    slots, positions = np.array([3, 30, -1, 7]), np.array([5, 64, 65, 500])
    from yarncore.backends.carry_out import run

    expected = {backend: x.copy() for backend in ("native", "generic")}
    for backend, array in expected.items():
        run(
            rotation._record,
            array,
            None,
            positions,
            heads_axis=-2,
            in_place=True,
            slots=slots,
            query=True,
            backend=backend,
        )
    same([expected["native"]], [expected["generic"]])
    flat, turned = x.reshape(32, 2, 64), expected["native"].reshape(32, 2, 64)
    kept = [0, 1, 3]
    same([turned[slots[kept]]], [rotation.rotate(flat[slots[kept]], None, positions[kept], query=True)])


class TestCompiledByTorch:
    @pytest.fixture(autouse=True)
    def _fresh_compiler(self):
        torch._dynamo.reset()
        yield
        torch._dynamo.reset()

    @pytest.mark.parametrize("positions_are", ["listed", "counted", "prepared"])
    def test_calls_are_what_they_are_outside(self, positions_are, rng):
        rope = rope_of(STEPS)
        q, k = map(torch.from_numpy, pair(rng))

        def call(q, k, n):
            if positions_are == "counted":
                return rope.rotate(q, k, None, heads_axis=-2)
            positions = torch.arange(q.shape[1]) + n
            return (rope.prepare(positions) if positions_are == "prepared" else rope).rotate(
                q, k, **({} if positions_are == "prepared" else {"positions": positions}), heads_axis=-2
            )  # fmt: skip

        compiled = torch.compile(call, fullgraph=True, backend="aot_eager")
        for n in (0, 60, 1000):
            assert all(torch.equal(a, b) for a, b in zip(compiled(q, k, n), call(q, k, n)))

    def test_one_array_is_what_it_is_said_to_be(self, rng):
        rope = rope_of(STEPS)
        q, k = map(torch.from_numpy, pair(rng))
        positions = torch.arange(60, 69)
        compiled = torch.compile(
            lambda x, query: rope.rotate(x, None, positions, query=query), fullgraph=True, backend="aot_eager"
        )
        turned = rope.rotate(q, k, positions)
        assert torch.equal(compiled(q, True), turned[0])
        assert torch.equal(compiled(k, False), turned[1])
        with pytest.raises(Exception, match="query is required"):
            compiled(q, None)

    def test_gradients_of_both_and_of_one(self, rng):
        rope = rope_of(STEPS)
        positions = torch.arange(60, 69)
        compiled = torch.compile(lambda q, k: rope.rotate(q, k, positions), fullgraph=True, backend="aot_eager")
        for needed in ((True, True), (True, False), (False, True)):
            arrays = [torch.from_numpy(x).requires_grad_(g) for x, g in zip(pair(rng), needed)]
            weights = [torch.randn_like(x) for x in arrays]
            sum((y * w).sum() for y, w, g in zip(compiled(*arrays), weights, needed) if g).backward()
            wanted = rope.at().adjoint.rotate(*weights, positions)
            for x, g, gradient in zip(arrays, needed, wanted):
                assert torch.equal(x.grad, gradient) if g else x.grad is None

    def test_vmap_of_a_compiled_function(self, rng):
        rope = rope_of(STEPS)
        q, k = map(torch.from_numpy, pair(rng))
        positions = torch.from_numpy(positions_around_steps(rng, (2, 9)))
        mapped = torch.vmap(lambda q, k, p: rope.rotate(q, k, p))(q, k, positions)
        assert all(torch.equal(a, b) for a, b in zip(mapped, rope.rotate(q, k, positions)))


class TestJAX:
    @pytest.mark.parametrize("name", ["float32", "bfloat16"])
    def test_the_extension_called_by_xla_has_its_own_bits(self, name, rng):
        rope = rope_of(FROM_ONE)
        arrays = pair(rng, {"float32": np.float32, "bfloat16": ml_dtypes.bfloat16}[name])
        positions = positions_around_steps(rng, (2, 9)).astype(np.int32)
        given = [jnp.asarray(x) for x in arrays]
        expected = rope.rotate(*arrays, positions)
        call = jax.jit(lambda q, k: rope.rotate(q, k, positions, backend="native"))
        same([np.asarray(y) for y in call(*given)], expected)
        for query in (True, False):
            one = jax.jit(lambda q, query=query: rope.rotate(q, None, positions, query=query, backend="native"))
            same([np.asarray(one(given[0]))], [rope.rotate(arrays[0], None, positions, query=query)])
            both = rope.rotate(*given, positions, query=query, backend="native")
            same([np.asarray(y) for y in both], rope.rotate(*arrays, positions, query=query))

    @pytest.mark.parametrize("backend", ["native", "generic"])
    def test_gradients_are_the_adjoint_s(self, backend, rng):
        rope = rope_of(STEPS)
        q, k = (jnp.asarray(x) for x in pair(rng))
        positions = np.arange(60, 69, dtype=np.int32)
        weights = [jnp.asarray(x) for x in pair(rng)]

        def loss(q, k):
            return sum((y * w).sum() for y, w in zip(rope.rotate(q, k, positions, backend=backend), weights))

        wanted = rope.at().adjoint.rotate(*map(np.asarray, weights), positions)
        for gradient, other in zip(jax.grad(loss, argnums=(0, 1))(q, k), wanted):
            assert np.allclose(np.asarray(gradient), other, rtol=0, atol=1e-5)

    def test_jit_changes_no_bit_without_64_bits(self, rng):
        rope = rope_of(STEPS)
        q, k = (jnp.asarray(x) for x in pair(rng))
        positions = jnp.asarray(positions_around_steps(rng, (2, 9)).astype(np.int32))
        plain = rope.rotate(q, k, positions)
        same(map(np.asarray, jax.jit(rope.rotate)(q, k, positions)), map(np.asarray, plain))
        wanted = rope.rotate(np.asarray(q), np.asarray(k), np.asarray(positions))
        for y, e in zip(plain, wanted):
            assert np.allclose(np.asarray(y), e, rtol=0, atol=8 * 2.0**-23 * np.abs(e).max())
