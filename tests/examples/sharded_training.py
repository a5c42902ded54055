"""Five steps of an extended model in two processes that share it by FSDP2, over gloo; their losses as JSON."""

import json
import os
import sys

import torch
import torch.distributed as dist
from tiny_models import tiny_llama
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import yarncore as yc
from yarncore.transformers import extend


def losses(rank, processes, shard):
    """Mean losses of the steps; each process has its share of the rows."""
    model = tiny_llama(hidden_size=32).train()
    extend(model, yc.YaRN(4.0, 512))
    if shard:
        mesh = init_device_mesh("cpu", (processes,))
        for layer in model.model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        assert all(hasattr(parameter, "device_mesh") for parameter in model.parameters())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
    generator = torch.Generator().manual_seed(1)
    found = []
    for _ in range(5):
        rows = torch.randint(0, 256, (4, 600), generator=generator)
        mine = rows[rank::processes]
        loss = model(input_ids=mine, labels=mine).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        whole = loss.detach().clone()
        if processes > 1:
            dist.all_reduce(whole)
        found.append(whole.item() / processes)
    return found


def main(rank, processes, port, file):
    """One of the processes."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    dist.init_process_group("gloo", rank=rank, world_size=processes)
    found = losses(rank, processes, shard=True)
    if rank == 0:
        with open(file, "w") as out:
            json.dump(found, out)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
