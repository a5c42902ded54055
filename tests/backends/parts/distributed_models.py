"""Two-layer transformers with the module on 4 gloo processes, against the same on one: run by test_distributed_models."""

import copy
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch import nn
from torch.distributed._functional_collectives import all_gather_single, all_gather_tensor_autograd
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.debug import CommDebugMode
from torch.distributed.tensor.experimental import context_parallel
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

import yarncore as yc
from yarncore.torch import RotaryEmbedding

SIZE = 4
HEADS, KEY_HEADS, HEAD_DIM, WORDS = 8, 2, 16, 50
WIDTH = HEADS * HEAD_DIM
BATCH, TOKENS = 4, 32
STATIC = yc.Rope(HEAD_DIM, scaling=yc.YaRN(4.0, 16))
DYNAMIC = yc.Rope(HEAD_DIM, scaling=yc.DynamicYaRN(16))


def gathered(x, group):
    """All parts along the sequence; a gradient goes back to the process whose part it is."""
    if group is None:
        return x
    if not x.requires_grad:
        return all_gather_single(x, 1, group)
    return all_gather_tensor_autograd(x, 1, group)


class Attention(nn.Module):
    def __init__(self, rope):
        super().__init__()
        self.wq = nn.Linear(WIDTH, WIDTH, bias=False)
        self.wk = nn.Linear(WIDTH, KEY_HEADS * HEAD_DIM, bias=False)
        self.wv = nn.Linear(WIDTH, KEY_HEADS * HEAD_DIM, bias=False)
        self.wo = nn.Linear(WIDTH, WIDTH, bias=False)
        self.rotary = RotaryEmbedding(rope, heads_axis=-2)

    def forward(self, x, positions, length, group=None):
        q, k, v = (w(x).unflatten(-1, (-1, HEAD_DIM)) for w in (self.wq, self.wk, self.wv))
        with CommDebugMode() as sent:
            q, k = self.rotary(q, k, positions, length)
        assert sent.get_total_counts() == 0, sent.get_comm_counts()
        if isinstance(q, DTensor):  # attention itself is not ours: on each process's heads
            mesh, placements = q.device_mesh, q.placements
            y = self.attend(q.to_local(), k.to_local(), v.to_local(), positions, group)
            return self.wo(DTensor.from_local(y, mesh, placements))
        return self.wo(self.attend(q, k, v, positions, group))

    def attend(self, q, k, v, positions, group):
        # Written out: context_parallel replaces F.scaled_dot_product_attention by a ring that torch has for GPUs only.
        k, v = (gathered(t, group).repeat_interleave(q.shape[2] // t.shape[2], dim=2) for t in (k, v))
        hidden = positions[:, None, :, None] < gathered(positions, group)[:, None, None, :]
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / HEAD_DIM**0.5
        return torch.einsum("bhqk,bkhd->bqhd", scores.masked_fill(hidden, -torch.inf).softmax(-1), v).flatten(-2)


class Layer(nn.Module):
    def __init__(self, rope):
        super().__init__()
        self.attention = Attention(rope)
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x, positions, length, group=None):
        x = x + self.attention(F.layer_norm(x, (WIDTH,)), positions, length, group)
        return x + self.down(F.silu(self.up(F.layer_norm(x, (WIDTH,)))))


class Model(nn.Module):
    def __init__(self, rope):
        super().__init__()
        self.embed, self.head = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WORDS)
        self.layers = nn.ModuleList(Layer(rope) for _ in range(2))

    def forward(self, ids, positions, length=None, group=None):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, positions, length, group)
        return self.head(x)


def loss_of(logits, labels):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")


def close(y, expected, what):
    assert torch.allclose(y, expected, rtol=2e-5, atol=2e-5 * float(expected.abs().max())), what


def check_gradients(model, reference, what, gradient=lambda p: p.grad):
    for (name, ours), expected in zip(model.named_parameters(), reference.parameters(), strict=True):
        close(gradient(ours), expected.grad, f"{what}: {name}")


def whole(p):
    return p.grad.full_tensor() if isinstance(p.grad, DTensor) else p.grad


def summed(p):
    total = p.grad.clone()
    dist.all_reduce(total)
    return total


def check_context_parallel(rank, models):
    mesh = init_device_mesh("cpu", (SIZE,))
    for rope, (model, reference, (ids, labels, positions), logits) in models.items():
        model = copy.deepcopy(model)
        length = TOKENS if rope is DYNAMIC else None
        own = [x.clone() for x in (ids, labels, positions)]
        x = torch.randn(BATCH, TOKENS, HEADS, HEAD_DIM, generator=torch.Generator().manual_seed(1))
        turned = rope.rotate(x, None, positions, heads_axis=-2, length=length)
        with context_parallel(mesh, buffers=[*own, x, turned], buffer_seq_dims=[1] * 5):
            part = own[2][0]
            # The load balancer gives the first process the first part and the last: no arange fits.
            assert part.numel() == TOKENS // SIZE
            assert rank != 0 or part[-1] == TOKENS - 1
            with CommDebugMode() as sent:
                y = rope.rotate(x, None, own[2], heads_axis=-2, length=length)
            assert sent.get_total_counts() == 0
            assert torch.equal(y, turned)
            ours = model(own[0], own[2], length, mesh.get_group())
            loss_of(ours, own[1]).backward()
            close(ours, logits[:, part], "context parallel: logits")
        check_gradients(model, reference, "context parallel", summed)


def check_tensor_parallel(rank, models):
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("other", "heads"))["heads"]
    model, reference, (ids, labels, positions), logits = models[STATIC]
    for local in (True, False):
        parallel = copy.deepcopy(model)
        for layer in parallel.layers:
            column = ColwiseParallel(use_local_output=local)
            plan = {
                "attention.wq": column, "attention.wk": column, "attention.wv": column,
                "attention.wo": RowwiseParallel(), "up": ColwiseParallel(), "down": RowwiseParallel(),
            }  # fmt: skip
            parallelize_module(layer, mesh, plan)
        ours = parallel(ids, positions)
        loss_of(ours, labels).backward()
        close(ours, logits, "tensor parallel: logits")
        check_gradients(parallel, reference, "tensor parallel", whole)


def check_fully_sharded(rank, models):
    model, reference, (ids, labels, positions), logits = models[STATIC]
    for shape, names in (((4,), ("shard",)), ((2, 2), ("replicate", "shard"))):
        sharded = copy.deepcopy(model)
        mesh = init_device_mesh("cpu", shape, mesh_dim_names=names)
        for layer in sharded.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(sharded, mesh=mesh)
        assert not any("rotary" in name for name in sharded.state_dict())
        mine = slice(rank, rank + 1)  # data parallel: a row of the batch each
        ours = sharded(ids[mine], positions[mine])
        loss_of(ours, labels[mine]).backward()
        close(ours, logits[mine], "fully sharded: logits")
        check_gradients(sharded, reference, f"fully sharded {shape}", lambda p: whole(p) * SIZE)  # of a mean


def check_compiled(rank):
    mesh = init_device_mesh("cpu", (SIZE,))
    x, positions = torch.randn(4, 12, 8, HEAD_DIM), torch.randint(0, 9999, (4, 12))
    dist.broadcast(x, 0), dist.broadcast(positions, 0)
    for placement in (Shard(0), Shard(2), Replicate()):
        dx = distribute_tensor(x, mesh, [placement]).requires_grad_()
        function = torch.compile(lambda t: STATIC.rotate(t, None, positions, heads_axis=-2) * 2, backend="aot_eager")
        y = function(dx)
        assert torch.equal(y.full_tensor(), STATIC.rotate(x, None, positions, heads_axis=-2) * 2)
        y.to_local().sum().backward()
        expected = STATIC.at().adjoint.rotate(torch.full_like(x, 2.0), None, positions, heads_axis=-2)
        assert torch.equal(dx.grad.full_tensor(), expected)


def work(rank, file):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=SIZE, init_method=f"file://{file}")
    torch.manual_seed(0)
    models = {}
    for rope in (STATIC, DYNAMIC):
        model = Model(rope)
        reference = copy.deepcopy(model)
        ids, labels = torch.randint(0, WORDS, (2, BATCH, TOKENS)).unbind()
        positions = torch.arange(TOKENS).expand(BATCH, -1).contiguous()
        logits = reference(ids, positions, TOKENS if rope is DYNAMIC else None)
        loss_of(logits, labels).backward()
        models[rope] = (model, reference, (ids, labels, positions), logits.detach())
    for check in (check_context_parallel, check_tensor_parallel, check_fully_sharded):
        check(rank, models)
        print(f"{check.__name__}: well", flush=True)
    check_compiled(rank)
    print("check_compiled: well", flush=True)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(work, (sys.argv[1],), nprocs=SIZE)
