"""The module: nothing to lose, nothing to round, and what Rope.rotate computes."""

import copy
import pickle

import pytest
import torch

import yarncore as yc
from yarncore.torch import RotaryEmbedding

ROPE = yc.Rope(16, scaling=yc.DynamicYaRN(64))


def pair(dtype=torch.float32):
    return (torch.randn(1, heads, 7, 16).to(dtype) for heads in (4, 2))


def test_it_computes_what_its_rope_computes_and_has_no_state():
    module = RotaryEmbedding(ROPE, heads_axis=-3)
    q, k = pair()
    for y, expected in zip(module(q, k, None, 300), ROPE.rotate(q, k, None, heads_axis=-3, length=300), strict=True):
        assert torch.equal(y, expected)
    assert module.state_dict() == {}
    assert list(module.buffers()) == list(module.parameters()) == []
    with pytest.raises(TypeError, match="length is required"):
        module(q, k, None)
    with pytest.raises(TypeError, match="a Rope is expected"):
        RotaryEmbedding(None)
    assert repr(ROPE) in repr(module)


def test_neither_a_cast_nor_the_meta_device_changes_an_angle():
    q, k = pair(torch.bfloat16)
    expected = ROPE.rotate(q, k, 100_000, heads_axis=-3, length=200_000)
    with torch.device("meta"):
        module = RotaryEmbedding(ROPE, heads_axis=-3)
    module = module.to_empty(device="cpu").to(torch.bfloat16)
    for other in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        for y, e in zip(other(q, k, 100_000, 200_000), expected, strict=True):
            assert torch.equal(y, e)


def test_inside_a_compiled_model():
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(16, 16)
            self.rotary = RotaryEmbedding(yc.Rope(16, scaling=yc.YaRN(4.0, 64)), heads_axis=-3)

        def forward(self, q, k):
            return self.rotary(self.linear(q), k, None)

    block = Block()
    q, k = pair()
    for y, expected in zip(torch.compile(block, fullgraph=True)(q, k), block(q, k), strict=True):
        assert torch.allclose(y, expected, rtol=1e-5, atol=1e-5)
