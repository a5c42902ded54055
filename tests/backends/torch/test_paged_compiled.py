"""append_ and move_ within functions that torch.compile compiles: array operations, and breaks where slots are read."""

import pytest
import torch

import yarncore as yc

OLD = yc.Rope(16).at()


@pytest.mark.whole
def test_both_are_right_in_a_compiled_function():
    def step(q, k, v, positions, slots, keys, values):
        q2 = yc.append_(OLD, q * 1, k, v, positions, key_cache=keys, value_cache=values, slots=slots)
        yc.move_(keys, [1], [2], OLD, by=3)
        return q2 + 1

    tokens = [torch.randn(4, 2, 16) for _ in range(3)]
    arguments = (*tokens, torch.arange(4), torch.tensor([3, -1, 0, 7]))
    caches, again = ([torch.zeros(3, 4, 2, 16) for _ in range(2)] for _ in range(2))
    expected = step(*arguments, *caches)
    result = torch.compile(step, backend="aot_eager")(*arguments, *again)
    assert torch.equal(result, expected)
    assert all(torch.allclose(a, b, rtol=0, atol=1e-6) for a, b in zip(caches, again, strict=True))
