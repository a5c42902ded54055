"""Which tensors the extension may touch directly; the private names of torch are checked here."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad

import yarncore as yc
from yarncore.backends.torch import why_not_plain

ROPE = yc.Rope(8)


def test_plain_tensors_and_parameters_are_plain():
    assert why_not_plain(torch.ones(2, 8)) is None
    with torch.no_grad():
        assert why_not_plain(torch.nn.Parameter(torch.ones(2, 8))) is None


def test_what_must_not_be_touched():
    class Subclass(torch.Tensor):
        pass

    assert "subclass" in why_not_plain(torch.ones(2, 8).as_subclass(Subclass))
    assert "meta" in why_not_plain(torch.ones(2, 8, device="meta"))
    assert "requires grad" in why_not_plain(torch.ones(2, 8, requires_grad=True))
    with FakeTensorMode():
        assert why_not_plain(torch.ones(2, 8)) is not None
    reasons = []
    torch.func.vmap(lambda x: reasons.append(why_not_plain(x)) or x)(torch.ones(2, 8))
    assert "transform" in reasons[0]
    with forward_ad.dual_level():
        assert "forward-mode" in why_not_plain(forward_ad.make_dual(torch.ones(2, 8), torch.ones(2, 8)))


def test_transforms_go_the_generic_road():
    x = torch.randn(3, 4, 8)
    positions = torch.arange(4)
    expected = ROPE.rotate(x, None, positions, heads_axis=None)
    mapped = torch.func.vmap(lambda t: ROPE.rotate(t, None, positions, heads_axis=None))(x)
    assert torch.equal(mapped, expected)
    value, tangent = torch.func.jvp(lambda t: ROPE.rotate(t, None, positions, heads_axis=None), (x,), (x,))
    assert torch.equal(value, expected)
    assert torch.allclose(tangent, expected)


def test_meta_and_fake_tensors_have_the_right_shape():
    y = ROPE.rotate(torch.ones(2, 8, device="meta"), None, 3, heads_axis=None)
    assert (y.device.type, y.shape) == ("meta", (2, 8))
    with FakeTensorMode():
        assert ROPE.rotate(torch.ones(2, 8), None, 3, heads_axis=None).shape == (2, 8)


def test_layouts_that_are_none():
    with pytest.raises(TypeError, match="layout"):
        ROPE.rotate(torch.ones(2, 8).to_sparse(), None, 0)
    with pytest.raises(TypeError, match="nested"):
        ROPE.rotate(torch.nested.nested_tensor([torch.ones(2, 8)], layout=torch.jagged), None, 0)


def test_inference_mode():
    with torch.inference_mode():
        x = torch.randn(2, 8)
        y = ROPE.rotate(x, None, 3, heads_axis=None)
        assert torch.equal(ROPE.rotate_(x, None, 3, heads_axis=None), y)
