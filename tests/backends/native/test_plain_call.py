"""The short road of plain calls: it must look like Python's own methods and give way wherever it is not sure."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

import yarncore as yc
from yarncore import _core

ROPE = yc.Rope(8)


class TestMethods:
    def test_they_are_the_extension_s(self):
        assert type(yc.Rope.__dict__["rotate_"]) is type(yc.Rotation.__dict__["rotate"]) is _core.Method

    @pytest.mark.parametrize("owner", [yc.Rope, yc.Rotation])
    @pytest.mark.parametrize("name", ["rotate", "rotate_"])
    def test_they_look_like_functions(self, owner, name):
        method = getattr(owner, name)
        assert method.__name__ == name
        assert method.__qualname__ == f"{owner.__name__}.{name}"
        assert method.__module__ == owner.__module__
        assert "Rotate q and k" in inspect.getdoc(method)
        parameters = list(inspect.signature(method).parameters)
        assert parameters[:4] == ["self", "q", "k", "positions"]
        assert inspect.signature(getattr(ROPE if owner is yc.Rope else ROPE.at(), name)).parameters["heads_axis"]

    def test_bound_unbound_and_pickled(self):
        x = np.ones((3, 8), dtype=np.float32)
        expected = ROPE.rotate(x, None, 2, heads_axis=None)
        bound = ROPE.rotate
        for call in (bound, copy.copy(bound), pickle.loads(pickle.dumps(bound))):
            assert np.array_equal(call(x, None, 2, heads_axis=None), expected)
        assert np.array_equal(yc.Rope.rotate(ROPE, x, None, 2, heads_axis=None), expected)
        assert np.array_equal(ROPE.rotate(q=x, k=None, positions=2, heads_axis=None), expected)
        assert np.array_equal(ROPE.rotate(x, k=None, positions=2, heads_axis=None), expected)

    def test_a_subclass_has_them(self):
        class Mine(yc.Rope):
            pass

        x = np.ones((3, 8), dtype=np.float32)
        assert np.array_equal(Mine(8).rotate(x, None, 2, heads_axis=None), ROPE.rotate(x, None, 2, heads_axis=None))

    def test_wrong_calls_are_python_s(self):
        for arguments, named in (((), {}), ((1,), {}), ((1, 2, 3, 4), {}), ((1, 2, 3), {"wrong": 1})):
            with pytest.raises(TypeError, match=r"rotate_?\(\)"):
                ROPE.rotate(*arguments, **named)
        with pytest.raises(TypeError):
            yc.Rope.rotate()
        with pytest.raises(AttributeError):
            yc.Rope.rotate(3, np.ones((2, 8)), None, 0)

    def test_references_are_given_back(self):
        import sys

        q, k = np.ones((2, 3, 8), dtype=np.float32), np.ones((2, 1, 8), dtype=np.float32)
        positions = np.arange(2)
        before = [sys.getrefcount(x) for x in (q, k, positions, ROPE)]
        for _ in range(100):
            ROPE.rotate_(q, k, positions)
            ROPE.rotate(q, k, positions)
            ROPE.rotate(q, k, positions, out=(np.empty_like(q), np.empty_like(k)))
            with pytest.raises(ValueError, match="positions"):
                ROPE.rotate(q, k, np.arange(3))
        assert [sys.getrefcount(x) for x in (q, k, positions, ROPE)] == before


class TestTorch:
    def test_versions_are_bumped_once_a_call(self):
        q, k = torch.ones(2, 3, 8), torch.ones(2, 1, 8)
        ROPE.rotate_(q, k, 1)
        before = q._version, k._version
        ROPE.rotate_(q, k, 1)
        assert (q._version, k._version) == (before[0] + 1, before[1] + 1)
        out = torch.empty_like(q)
        ROPE.rotate(q, None, 1, out=out)
        assert (q._version, out._version) == (before[0] + 1, 1)

    def test_a_saved_tensor_that_was_rotated_is_noticed(self):
        weight = torch.ones(8, requires_grad=True)
        x = torch.ones(2, 8)
        y = (x * weight).sum()
        ROPE.rotate_(x, None, 1, heads_axis=None)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward()

    def test_negated_views_hold_what_they_mean(self):
        x = torch.randn(2, 8)
        negated = torch._neg_view(x)
        imaginary = torch.randn(2, 8, dtype=torch.complex64).conj().imag
        for view in (negated, imaginary):
            y = ROPE.rotate(view, None, 3, heads_axis=None)
            assert torch.equal(y, ROPE.rotate(view.resolve_neg(), None, 3, heads_axis=None))
            before = view.clone()
            with pytest.raises(ValueError, match="negative bit"):
                ROPE.rotate_(view, None, 3, heads_axis=None)
            assert torch.equal(view, before)
            with pytest.raises(ValueError, match="negative bit"):
                ROPE.rotate(x.clone(), None, 3, heads_axis=None, out=view)

    def test_inference_tensors_outside_of_inference_mode(self):
        with torch.inference_mode():
            x = torch.ones(2, 8)
            ROPE.rotate_(x, None, 3, heads_axis=None)
            normal_mode_inside = x.clone()
        with pytest.raises(ValueError, match="inference tensor"):
            ROPE.rotate_(x, None, 3, heads_axis=None)
        assert torch.equal(x, normal_mode_inside)
        assert ROPE.rotate(x, None, 3, heads_axis=None).shape == x.shape
        plain = torch.ones(2, 8)
        with torch.inference_mode(), torch.enable_grad():
            ROPE.rotate_(plain, None, 3, heads_axis=None)
        assert torch.equal(plain, ROPE.rotate(torch.ones(2, 8), None, 3, heads_axis=None))

    def test_tangents_are_not_lost(self):
        x = torch.randn(2, 8)
        with forward_ad.dual_level():
            y = forward_ad.unpack_dual(ROPE.rotate(forward_ad.make_dual(x, x), None, 3, heads_axis=None))
        assert torch.equal(y.primal, ROPE.rotate(x, None, 3, heads_axis=None))
        assert torch.allclose(y.tangent, y.primal)

    def test_tracing_sees_it(self):
        x = torch.randn(2, 8)
        for mode in ("real", "fake"):
            traced = make_fx(lambda t: ROPE.rotate(t, None, 3, heads_axis=None), tracing_mode=mode)(x)
            assert torch.allclose(traced(2 * x), 2 * ROPE.rotate(x, None, 3, heads_axis=None), atol=1e-6)

    def test_tensors_of_a_finished_transform(self):
        kept = []
        torch.func.vmap(lambda t: kept.append(t) or t)(torch.ones(2, 8))
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            ROPE.rotate_(kept[0], None, 3, heads_axis=None)

    def test_compiled_in_place(self):
        torch._dynamo.reset()
        rotation = ROPE.at()
        x = torch.randn(2, 5, 3, 8)

        def turn(t, positions):
            return rotation.rotate(t, None, positions)

        compiled = torch.compile(turn, fullgraph=True, backend="eager")
        assert torch.equal(compiled(x, torch.arange(5)), turn(x, torch.arange(5)))


class TestForeignArrays:
    """Nobody's DLPack capsule is read here: an object is one of the known frameworks or refused by name."""

    def test_objects_that_only_export(self):
        calls = []

        class Liar:
            shape, dtype, ndim, device = (2, 8), np.dtype(np.float32), 2, "cpu"

            def __dlpack__(self, **_):
                calls.append("dlpack")
                return

            def __dlpack_device__(self):
                return (10, 0)

        with pytest.raises(TypeError, match="q is"):
            ROPE.rotate(Liar(), None, 0, heads_axis=None)
        with pytest.raises(TypeError):
            ROPE.rotate_(np.ones((2, 8)), Liar(), 0, heads_axis=None)
        assert not calls
