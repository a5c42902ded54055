"""append_ and move_ on a GPU, as on_gpu.py: run by benchmarks/gpu/run.py, or pytest tests/cuda/paged_on_gpu.py."""

import pytest
import torch

import yarncore as yc
from yarncore.backends import paged
from yarncore.backends.gpu.built_kernel import NativeCudaBackend
from yarncore.backends.gpu.run_time_kernel import CupyBackend

assert torch.cuda.is_available(), "these tests need an NVIDIA GPU and a torch that sees it"

ROPE = yc.Rope(64, scaling=yc.DynamicYaRN(64, steps="doubling"), rotary_dim=48)
OLD, NEW = ROPE.at(100), ROPE.at(400)
KERNELS = [backend for backend in (NativeCudaBackend(), CupyBackend()) if backend.why_unavailable() is None]


@pytest.fixture(params=[*KERNELS, None], ids=lambda backend: "array operations" if backend is None else backend.name)
def road(request, monkeypatch):
    """A kernel, or none: then array operations."""
    host = [backend for backend in paged.BACKENDS if not backend.past_framework or backend.name == "native"]
    rest = [backend for backend in host if not isinstance(backend, NativeCudaBackend)]
    monkeypatch.setattr(paged, "BACKENDS", (*rest, request.param) if request.param else tuple(rest))
    return request.param


def both(call, *arrays, equal=True):
    """The call on the CPU and on the GPU leaves the same bits (near ones by array operations)."""
    results = []
    for device in ("cpu", "cuda"):
        copies = [x.clone().to(device) for x in arrays]
        returned = call(*copies)
        results.append([x.cpu() for x in [*copies, *([returned] if returned is not None else [])]])
    for a, b in zip(*results, strict=True):
        same = torch.equal(a, b) if equal else torch.allclose(a.float(), b.float(), rtol=2**-7, atol=2**-7)
        assert same


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_append_and_move(road, dtype):
    slots = torch.tensor([3, 19, -1, 0, 7, 4, 21, 22])

    def call(q, k, v, keys, values):
        here = slots.to(q.device)
        q2 = yc.append_(
            OLD,
            q,
            k,
            v,
            torch.arange(8, device=q.device),
            key_cache=keys,
            value_cache=values,
            slots=here,
            heads_axis=-2,
        )
        positions = torch.arange(5, device=q.device)
        yc.move_(keys, here[3:], here[3:] + 1, OLD, by=9, new=NEW, positions=positions, values=values)
        yc.move_(keys, [1, 2], [2, 1], NEW, by=[[3, 4]], values=values)
        return q2

    both(
        call, torch.randn(8, 6, 64).to(dtype), torch.randn(8, 2, 64).to(dtype), torch.randn(8, 2, 24).to(dtype),
        torch.randn(6, 4, 2, 64).to(dtype), torch.randn(6, 4, 2, 24).to(dtype), equal=road is not None,
    )  # fmt: skip


@pytest.mark.skipif(not KERNELS, reason="no kernel: array operations read the slots")
def test_a_captured_graph_appends_to_the_slots_that_are_given_later():
    k, cache = torch.randn(4, 2, 64, device="cuda"), torch.zeros(6, 4, 2, 64, device="cuda")
    positions, slots = (torch.arange(4, device="cuda") for _ in range(2))

    def step():
        yc.append_(OLD, None, k, None, positions, key_cache=cache, slots=slots)

    step()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    slots.copy_(torch.tensor([9, -1, 99, 20], device="cuda"))  # one is out of range: it is skipped
    positions += 70
    cache.zero_()
    graph.replay()
    expected = OLD.rotate(k.cpu(), None, [70, 71, 72, 73])
    assert torch.equal(cache.cpu().view(24, 2, 64)[[9, 20]], expected[[0, 3]])
    assert int(cache.flatten(2).any(-1).sum()) == 2
