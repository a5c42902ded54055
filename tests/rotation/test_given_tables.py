"""Rotation by given tables, against the functions that take such tables."""

import inspect

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.cohere import modeling_cohere
from transformers.models.glm import modeling_glm
from transformers.models.glm4v import modeling_glm4v
from transformers.models.gpt_oss import modeling_gpt_oss
from transformers.models.llama import modeling_llama

import yarncore as yc
from yarncore.reference import turn_by

RNG = np.random.default_rng(0)
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]


def tables(*shape, dtype=np.float32):
    angles = RNG.uniform(-9, 9, shape)
    return (1.3 * np.cos(angles)).astype(dtype), (1.3 * np.sin(angles)).astype(dtype)


def normal(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def twice(table):
    return np.concatenate([table, table], axis=-1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("table_dtype", DTYPES)
def test_every_pair_of_types_is_the_product_in_float32_or_float64(dtype, table_dtype):
    x = normal(2, 5, 3, 20, dtype=dtype)
    cos, sin = tables(5, 8, dtype=table_dtype)
    work = np.float64 if dtype is np.float64 else np.float32
    c, s = cos.astype(work)[:, None], sin.astype(work)[:, None]
    a, b = x[..., :8].astype(work), x[..., 8:16].astype(work)
    expected = np.concatenate([a * c - b * s, b * c + a * s, x[..., 16:].astype(work)], axis=-1).astype(dtype)
    np.testing.assert_array_equal(yc.rotate_by(x, None, cos, sin, heads_axis=-2), expected)
    np.testing.assert_array_equal(yc.rotate_by(x, None, cos, sin, heads_axis=-2, backend="generic"), expected)


@given(st.integers(1, 40), st.booleans(), st.booleans(), st.sampled_from(["half", "repeated", "pairs"]))
def test_any_number_of_pairs_in_any_layout(pairs, interleaved, backwards, layout):
    cos, sin = tables(4, pairs)
    x = normal(4, 2, 2 * pairs + 3)
    expected = turn_by(x, cos[:, None], sin[:, None], interleaved=interleaved)
    laid_out = {"half": lambda t: t, "repeated": twice, "pairs": lambda t: np.repeat(t, 2, axis=-1)}[layout]
    cos, sin = laid_out(cos), laid_out(sin)
    if backwards:  # negative strides
        cos, sin = cos[::-1, ::-1].copy()[::-1, ::-1], sin[::-1, ::-1].copy()[::-1, ::-1]
    got = yc.rotate_by(x, None, cos, sin, heads_axis=-2, layout=layout, interleaved=interleaved)
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-6)


def test_the_tables_of_a_rope_give_the_bits_of_the_rope():
    rope = yc.Rope(16, scaling=yc.YaRN(4.0, 64), interleaved=True)
    positions = np.array([[0, 5, 9], [1, 0, 2**33]])
    q = normal(2, 3, 4, 16)
    cos, sin = rope.cos_sin(positions, dtype=np.float32)
    got = yc.rotate_by(q, None, cos, sin, heads_axis=-2, interleaved=True)
    np.testing.assert_array_equal(got, rope.rotate(q, None, positions, heads_axis=-2))


def test_a_row_that_turns_nothing_leaves_every_bit():
    x = np.full((2, 1, 4), np.inf, np.float32)
    cos, sin = np.ones((2, 2), np.float32), np.zeros((2, 2), np.float32)
    for backend in ("native", "generic"):
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(yc.rotate_by(x, None, cos, sin, backend=backend), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_in_a_table_is_nan_in_its_pairs_alone(dtype):
    cos, sin = tables(3, 4)
    cos[1, 2] = np.array(0x7FFFFFFF, np.uint32).view(np.float32)
    turned = yc.rotate_by(np.ones((3, 2, 8), dtype), None, cos, sin).astype(np.float32)
    expected = np.zeros((3, 2, 8), bool)
    expected[1, :, [2, 6]] = True
    np.testing.assert_array_equal(np.isnan(turned), expected)


class TestOthers:
    """Functions of other projects, on random tables; the same bits where they compute in float32."""

    def test_transformers_llama(self):
        q, k = torch.randn(2, 4, 5, 16), torch.randn(2, 2, 5, 16)
        cos, sin = (torch.tensor(twice(table)) for table in tables(2, 5, 8))
        expected = modeling_llama.apply_rotary_pos_emb(q, k, cos, sin)
        got = yc.rotate_by(q, k, cos, sin, heads_axis=-3, layout="repeated")
        assert all(map(torch.equal, got, expected))

    def test_transformers_cohere(self):
        q, k = torch.randn(2, 4, 5, 16), torch.randn(2, 2, 5, 16)
        cos, sin = (torch.tensor(np.repeat(table, 2, axis=-1)) for table in tables(2, 5, 8))
        expected = modeling_cohere.apply_rotary_pos_emb(q, k, cos, sin)
        assert all(map(torch.equal, yc.rotate_by(q, k, cos, sin, heads_axis=-3, layout="pairs"), expected))

    def test_transformers_gpt_oss(self):
        q, k = torch.randn(2, 4, 5, 16), torch.randn(2, 2, 5, 16)
        cos, sin = map(torch.tensor, tables(2, 5, 8))
        expected = modeling_gpt_oss.apply_rotary_pos_emb(q, k, cos, sin)
        assert all(map(torch.equal, yc.rotate_by(q, k, cos, sin, heads_axis=-3), expected))

    def test_transformers_glm(self):
        """It repeats the first half of what it is given, pair by pair, and turns a part of the head."""
        q, k = torch.randn(2, 4, 5, 24), torch.randn(2, 2, 5, 24)
        cos, sin = (torch.tensor(twice(table)) for table in tables(2, 5, 8))
        expected = modeling_glm.apply_rotary_pos_emb(q, k, cos, sin)
        got = yc.rotate_by(q, k, cos, sin, heads_axis=-3, layout="repeated", interleaved=True)
        assert all(map(torch.equal, got, expected))

    def test_transformers_glm4v(self):
        q, k = torch.randn(2, 4, 5, 24), torch.randn(2, 2, 5, 24)
        cos, sin = (torch.tensor(np.repeat(table, 2, axis=-1)) for table in tables(2, 5, 8))
        expected = modeling_glm4v.apply_rotary_pos_emb(q, k, cos, sin)
        assert all(map(torch.equal, yc.rotate_by(q, k, cos, sin, heads_axis=-3, layout="pairs"), expected))

    def test_every_case_of_onnx(self, monkeypatch):
        """The cases that ONNX publishes for RotaryEmbedding: caches of random numbers, chosen by position."""
        from onnx.backend.test.case.node import rotaryembedding

        cases = []
        monkeypatch.setattr(
            rotaryembedding, "expect", lambda node, inputs, outputs, name: cases.append((node, inputs, outputs, name))
        )
        for name, export in inspect.getmembers(rotaryembedding.RotaryEmbedding, inspect.isfunction):
            assert name.startswith("export")
            export()
        assert len(cases) >= 8
        for node, inputs, (expected,), _ in cases:
            given = {attribute.name: attribute.i for attribute in node.attribute}
            x, cos, sin, positions = (*inputs, None)[:4]
            flat = x.ndim == 3
            if flat:
                x = x.reshape(*x.shape[:2], given["num_heads"], -1)
            if positions is not None:
                cos, sin = cos[positions], sin[positions]
            got = yc.rotate_by(
                x, None, cos, sin, heads_axis=-2 if flat else -3, interleaved=bool(given.get("interleaved", 0))
            )
            np.testing.assert_allclose(got.reshape(expected.shape), expected, rtol=1e-6, atol=1e-6)

    def test_the_formula_of_flash_attention(self):
        """flash_attn/layers/rotary.py, apply_rotary_emb_torch (commit 0251105a), written anew: (S, pairs) for all rows."""
        x, (cos, sin) = torch.randn(2, 5, 3, 24), map(torch.tensor, tables(5, 8))
        for interleaved in (False, True):
            wide = [table.repeat_interleave(2, -1) if interleaved else table.repeat(1, 2) for table in (cos, sin)]
            c, s = (table[:, None] for table in wide)
            turning = x[..., :16]
            if interleaved:
                half = torch.stack([-turning[..., 1::2], turning[..., ::2]], dim=-1).flatten(-2)
            else:
                half = torch.cat([-turning[..., 8:], turning[..., :8]], dim=-1)
            expected = torch.cat([turning * c + half * s, x[..., 16:]], dim=-1)
            assert torch.equal(yc.rotate_by(x, None, cos, sin, heads_axis=-2, interleaved=interleaved), expected)


class TestRoads:
    def test_in_place_and_out(self):
        q, k = normal(5, 2, 16), normal(5, 1, 16)
        cos, sin = tables(5, 8)
        expected = yc.rotate_by(q, k, cos, sin)
        out = (np.empty_like(q), np.empty_like(k))
        assert yc.rotate_by(q, k, cos, sin, out=out)[0] is out[0]
        assert yc.rotate_by_(q, k, cos, sin)[0] is q
        for got in ((q, k), out):
            assert all(map(np.array_equal, got, expected))

    def test_gradients(self):
        cos, sin = map(torch.tensor, tables(5, 8, dtype=np.float64))
        q = torch.randn(5, 2, 16, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: yc.rotate_by(x, None, cos, sin), q, check_batched_grad=False)
        assert torch.autograd.gradgradcheck(lambda x: yc.rotate_by(x, None, cos, sin), q)
        assert torch.autograd.gradcheck(lambda x: yc.rotate_by_(x.clone(), None, cos, sin), q)

    def test_transforms_over_arrays_and_over_tables(self):
        q, (cos, sin) = torch.randn(3, 5, 2, 16), map(torch.tensor, tables(3, 5, 8))
        expected = torch.stack([yc.rotate_by(x, None, c, s) for x, c, s in zip(q, cos, sin)])
        assert torch.equal(torch.func.vmap(lambda x, c, s: yc.rotate_by(x, None, c, s))(q, cos, sin), expected)
        one = torch.func.vmap(lambda x: yc.rotate_by(x, None, cos[0], sin[0]))(q)
        assert torch.equal(one, torch.stack([yc.rotate_by(x, None, cos[0], sin[0]) for x in q]))

    def test_compiled(self):
        def turn(x, c, s):
            return yc.rotate_by(x, None, c, s, heads_axis=-2, layout="repeated")

        compiled = torch.compile(turn, fullgraph=True, backend="aot_eager")
        for tokens in (5, 6):
            q = torch.randn(2, tokens, 3, 16, requires_grad=True)
            cos, sin = (torch.tensor(twice(table)) for table in tables(tokens, 8))
            assert torch.equal(compiled(q, cos, sin), turn(q, cos, sin))
            (mine,) = torch.autograd.grad(compiled(q, cos, sin).square().sum(), q)
            (wanted,) = torch.autograd.grad(turn(q, cos, sin).square().sum(), q)
            assert torch.allclose(mine, wanted, atol=1e-6)

    def test_jax(self):
        q, (cos, sin) = normal(5, 2, 16), tables(5, 8)
        expected = yc.rotate_by(q, None, cos, sin)
        turn = lambda x, c, s: yc.rotate_by(x, None, c, s)  # noqa: E731
        for c, s in ((cos, sin), (jnp.asarray(cos), jnp.asarray(sin))):
            np.testing.assert_array_equal(turn(jnp.asarray(q), c, s), expected)
            np.testing.assert_array_equal(jax.jit(turn)(jnp.asarray(q), c, s), expected)

    def test_large_arrays_on_several_threads(self):
        q, (cos, sin) = normal(2, 3000, 4, 128), tables(3000, 64)
        np.testing.assert_array_equal(
            yc.rotate_by(q, None, cos, sin, heads_axis=-2),
            yc.rotate_by(q, None, cos, sin, heads_axis=-2, backend="generic"),
        )
        moved = np.ascontiguousarray(np.moveaxis(q, 1, 2))
        got = yc.rotate_by(moved, None, cos, sin, heads_axis=-3)
        np.testing.assert_array_equal(np.moveaxis(got, 2, 1), yc.rotate_by(q, None, cos, sin, heads_axis=-2))


Q, (COS, SIN) = normal(5, 2, 16), tables(5, 8)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"cos": None}, TypeError, "cos is None"),
        ({"sin": 0.5}, TypeError, "sin is 0.5"),
        ({"cos": COS.astype(int)}, TypeError, "cos has dtype int64"),
        ({"sin": SIN.astype(complex)}, TypeError, "sin has dtype complex128"),
        ({"sin": SIN[:, :4]}, ValueError, "cos has 8 numbers a token and sin 4"),
        ({"cos": COS[:4]}, ValueError, r"cos has shape \(4,\), before the axis of its numbers"),
        ({"sin": SIN[None, None]}, ValueError, r"sin has shape \(1, 1, 5\)"),
        ({"cos": np.float32(1.0)}, (TypeError, ValueError), "cos"),
        ({"cos": COS[:, :0], "sin": SIN[:, :0]}, ValueError, "at least one pair"),
        ({"cos": COS[:, :5], "sin": SIN[:, :5], "layout": "pairs"}, ValueError, "even number"),
        ({"cos": twice(COS), "sin": twice(SIN)}, ValueError, "last axis is 16; at least rotary_dim=32"),
        ({"layout": "halves"}, ValueError, "layout is 'halves'; one of half, repeated, pairs"),
        ({"layout": None}, TypeError, "layout is None"),
        ({"interleaved": 1}, TypeError, "interleaved is 1"),
        ({"cos": torch.tensor(COS), "sin": torch.tensor(SIN)}, TypeError, "cos is an array of torch and q of numpy"),
        ({"q": torch.tensor(Q), "cos": torch.tensor(COS, requires_grad=True)}, ValueError, "cos requires grad"),
        ({"q": torch.tensor(Q), "sin": torch.zeros(5, 8, device="meta")}, ValueError, "sin is on meta and q on cpu"),
        ({"heads_axis": -9}, ValueError, "heads_axis"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(changes, error, says):
    q = Q.copy()
    arguments = {"q": q, "k": None, "cos": COS, "sin": SIN} | changes
    for function in (yc.rotate_by, yc.rotate_by_):
        with pytest.raises(error, match=says):
            function(**arguments)
    np.testing.assert_array_equal(q, Q)
