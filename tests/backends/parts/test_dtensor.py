"""DTensors of 2 and 4 processes: the bits of one process, forward and backward, and nothing is sent."""

import subprocess
import sys

import pytest

CODE = """
import sys
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import yarncore as yc

def same(y, expected):
    assert torch.equal(y.full_tensor(), expected), (y.placements, expected.shape)

def work(rank, size, file):
    dist.init_process_group("gloo", rank=rank, world_size=size, init_method=f"file://{file}")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor
    from torch.distributed.tensor.debug import CommDebugMode

    rope, dynamic = yc.Rope(16, rotary_dim=12, rotary_start=3, scaling=yc.YaRN(4.0, 64)), yc.Rope(16, scaling=yc.DynamicYaRN(64))
    sectioned = yc.Rope(16, sections=(3, 3, 2))
    scaled = yc.Rope(16, rotary_dim=12, query_scale=yc.LogSteps(0.1, 8))
    torch.manual_seed(0)
    q, k = torch.randn(4, 10, 8, 16), torch.randn(4, 10, 2, 16)
    positions, many = torch.randint(0, 1000, (4, 10)), torch.randint(0, 1000, (3, 4, 10))
    lengths = [[64], [100], [200], [300]]
    line = init_device_mesh("cpu", (size,))
    meshes = [(line, [Shard(0)]), (line, [Shard(1)]), (line, [Shard(2)]), (line, [Replicate()])]
    if size == 4:
        square = init_device_mesh("cpu", (2, 2))
        meshes += [(square, [Replicate(), Shard(0)]), (square, [Shard(0), Shard(1)]), (square, [Shard(1), Shard(2)])]
    for mesh, placements in meshes:
        dq = distribute_tensor(q, mesh, placements).requires_grad_()
        dk = distribute_tensor(k, mesh, placements)
        upstream = distribute_tensor(torch.ones_like(q), mesh, placements)
        with CommDebugMode() as sent:
            results = [rope.rotate(dq, dk, p, heads_axis=-2) for p in (None, positions, positions.numpy(), 100)]
            by_length = dynamic.rotate(dq, None, None, heads_axis=-2, length=lengths)
            by_section = sectioned.rotate(dq, None, many, heads_axis=-2)
            by_scale = scaled.rotate(dq, dk, positions, heads_axis=-2)
            results[1][0].backward(upstream)
            in_place = dk.clone()
            assert rope.rotate_(in_place, None, positions, heads_axis=-2) is in_place
        assert sent.get_total_counts() == 0, sent.get_comm_counts()
        for p, pair in zip((None, positions, positions, 100), results):
            for y, expected in zip(pair, rope.rotate(q, k, p, heads_axis=-2)):
                same(y, expected)
                assert y.placements == tuple(placements)
        same(by_length, dynamic.rotate(q, None, None, heads_axis=-2, length=lengths))
        same(by_section, sectioned.rotate(q, None, many, heads_axis=-2))
        for y, expected in zip(by_scale, scaled.rotate(q, k, positions, heads_axis=-2)):
            same(y, expected)
        same(dq.grad, rope.at().adjoint.rotate(torch.ones_like(q), None, positions, heads_axis=-2))
        same(in_place, rope.rotate(k, None, positions, heads_axis=-2))
    dq = distribute_tensor(q, line, [Shard(1)])
    cut = distribute_tensor(positions, line, [Shard(1)])
    same(rope.rotate(dq, None, cut, heads_axis=-2), rope.rotate(q, None, positions, heads_axis=-2))
    for x, p, words in (
        (dq, distribute_tensor(positions, line, [Shard(0)]), "as the tokens"),
        (distribute_tensor(q, line, [Shard(3)]), positions, "last axis is cut"),
    ):
        try:
            rope.rotate(x, None, p, heads_axis=-2)
        except ValueError as error:
            assert words in str(error), error
        else:
            raise AssertionError("no error")
    assert "shard by shard" in yc.backend_for(dq).why
    dist.barrier()
    print("well", flush=True)
    dist.destroy_process_group()

if __name__ == "__main__":
    mp.spawn(work, (int(sys.argv[1]), sys.argv[2]), nprocs=int(sys.argv[1]))
"""


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.whole)])
def test_every_placement_gives_the_bits_of_one_process(size, tmp_path):
    script = tmp_path / "distributed.py"
    script.write_text(CODE)
    run = subprocess.run(
        [sys.executable, str(script), str(size), str(tmp_path / "meeting")], capture_output=True, text=True, timeout=240
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("well") == size
