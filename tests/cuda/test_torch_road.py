"""The road of torch's tensors to the kernel, gradients included, with the host in the GPU's place."""

import host_kernel
import pytest
import torch
from host_backend import HostBackend
from positions_of_torch import POSITIONS

import yarncore as yc
from yarncore.backends import choice
from yarncore.backends.torch.roads import rotate_by
from yarncore.frameworks.torch import TORCH

ROPE = yc.Rope(32, rotary_dim=24, rotary_start=8, scaling=yc.YaRN(4.0, 64))
STEPPED = yc.Rope(32, scaling=yc.DynamicYaRN(64, steps="doubling"))


@pytest.fixture(autouse=True)
def host(monkeypatch):
    backend = HostBackend()
    monkeypatch.setattr(choice, "BACKENDS", (*choice.BACKENDS, backend))
    monkeypatch.setattr(choice, "NAMES", (*choice.NAMES, "host"))
    return backend


def pair(dtype=torch.float32):
    return torch.randn(2, 6, 4, 32).to(dtype), torch.randn(2, 6, 2, 32).to(dtype)


@pytest.mark.parametrize("name", POSITIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_bits_of_the_extension(name, dtype, host):
    q, k = pair(dtype)
    expected = ROPE.rotate(q, k, POSITIONS[name], heads_axis=-2)
    for y, e in zip(ROPE.rotate(q, k, POSITIONS[name], heads_axis=-2, backend="host"), expected, strict=True):
        assert torch.equal(y, e)
    assert host.launches == 1
    version = q._version
    assert ROPE.rotate_(q, k, POSITIONS[name], heads_axis=-2, backend="host")[0] is q
    assert torch.equal(q, expected[0])
    assert torch.equal(k, expected[1])
    assert q._version > version
    out = torch.empty(2, 4, 6, 32, dtype=dtype).transpose(1, 2)
    assert ROPE.rotate(k.repeat(1, 1, 2, 1), None, 3, heads_axis=-2, out=out, backend="host") is out
    assert torch.equal(out[:, :, 2:], ROPE.rotate(k, None, 3, heads_axis=-2))


def test_lengths_of_rows_by_a_table_that_is_copied_once(host):
    q, k = pair()
    for lengths in (torch.tensor([[64], [1000]]), torch.tensor([[70], [10**6]])):
        rotation = STEPPED._resolution.at_traced(lengths)  # as lengths on a device are served: no value is read
        results = rotation.rotate(q, k, None, heads_axis=-2, backend="host")
        for y, e in zip(results, STEPPED.rotate(q, k, None, heads_axis=-2, length=lengths), strict=True):
            assert torch.equal(y, e)
        copies = rotation._record.turns.copies
        assert len(copies.kernel) == len(copies.steps) == 1  # the rows, and the lengths at which they change
        words = copies.kernel[q.device][0]
    assert STEPPED._resolution.at_traced(lengths)._record.turns.copies.kernel[q.device][0] is words


def test_gradients_of_both_orders_and_both_modes(host):
    q, k = (x.requires_grad_() for x in pair())
    positions = torch.arange(6) + 100
    upstream = [torch.randn_like(x) for x in (q, k)]

    def gradients(backend):
        y, z = ROPE.rotate(q, k, positions, heads_axis=-2, backend=backend)
        first = torch.autograd.grad([(y**2).sum() + (z * upstream[1]).sum()], [q, k], create_graph=True)
        return [*first, *torch.autograd.grad(first[0].sum(), [q])]

    for ours, expected in zip(gradients("host"), gradients("native"), strict=True):
        assert torch.equal(ours, expected)
    assert host.launches > 0
    pushed = torch.func.jvp(
        lambda t: ROPE.rotate(t, None, positions, heads_axis=-2, backend="host"), (q,), (upstream[0],)
    )
    assert torch.equal(pushed[1], ROPE.rotate(upstream[0], None, positions, heads_axis=-2))
    only_k = ROPE.rotate(q.detach(), k, positions, heads_axis=-2, backend="host")[1]
    assert torch.equal(
        torch.autograd.grad(only_k.sum(), k)[0], ROPE.at().adjoint.rotate(torch.ones_like(k), None, positions)
    )


def test_slots_on_the_device_are_not_read(monkeypatch, host):
    monkeypatch.setattr(TORCH, "is_traced", lambda x: True)
    keys = torch.randn(3, 4, 2, 32)
    slots, positions = torch.tensor([5, -1, 0, 11, 99]), torch.tensor([3, 4, 5, 6, 7])
    expected = keys.clone()
    kept = torch.tensor([5, 0, 11])
    flat = expected.view(12, 2, 32)
    flat[kept] = ROPE.rotate(flat[kept], None, torch.tensor([3, 5, 6]))
    request = host_kernel.make_request(
        ROPE.at()._record, keys, None, positions, heads_axis=-2, in_place=True, slots=slots
    )
    assert request.slots is slots
    rotate_by(host, request)
    assert torch.equal(keys, expected)  # 99 is no slot of this cache: skipped, never written


def test_the_negative_bit_and_views(host):
    q = torch.view_as_complex(torch.randn(2, 6, 4, 32, 2)).conj().imag
    assert torch.equal(ROPE.rotate(q, None, 3, heads_axis=-2, backend="host"), ROPE.rotate(q, None, 3, heads_axis=-2))
    wide = torch.randn(2, 6, 4, 33)[..., 1:]
    assert torch.equal(
        ROPE.rotate(wide, None, 3, heads_axis=-2, backend="host"), ROPE.rotate(wide, None, 3, heads_axis=-2)
    )


def test_what_the_kernel_leaves_to_array_operations(host):
    q, _ = pair()
    for positions, words in (
        (torch.rand(6), "positions of torch.float32"),
        (torch.arange(6).to(torch.uint64), "uint64"),
    ):
        with pytest.raises(yc.BackendUnavailable, match=words):
            ROPE.rotate(q, None, positions, heads_axis=-2, backend="host")
    with pytest.raises(ValueError, match="slots is on meta"):
        yc.rerotate_(
            q,
            torch.arange(3),
            ROPE.at(),
            ROPE.at(),
            heads_axis=-2,
            slots=torch.empty(3, dtype=torch.int64, device="meta"),
        )
    with pytest.raises(ValueError, match="length is on meta"):
        STEPPED.rotate(q, None, 3, heads_axis=-2, length=torch.empty(2, 1, dtype=torch.int64, device="meta"))
