"""Which tensors the extension may touch directly; the private names of torch are checked here."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad

import yarncore as yc
from yarncore.frameworks.torch import TORCH, why_not_plain

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
    with FakeTensorMode():
        assert why_not_plain(torch.ones(2, 8)) is not None


def test_what_torch_must_record():
    assert not TORCH.is_recorded(torch.ones(2, 8))
    assert TORCH.is_recorded(torch.ones(2, 8, requires_grad=True))
    with torch.no_grad():
        assert not TORCH.is_recorded(torch.ones(2, 8, requires_grad=True))
    answers = []
    torch.func.vmap(lambda x: answers.append(TORCH.is_recorded(x)) or x)(torch.ones(2, 8))
    assert answers == [True]
    with forward_ad.dual_level():
        assert TORCH.is_recorded(forward_ad.make_dual(torch.ones(2, 8), torch.ones(2, 8)))


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
