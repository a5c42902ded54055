"""torch's DTensor: every process rotates its own shard, and nobody waits for anybody.

A rotation knows no neighbours: with positions cut as the tokens are, the local results are the shards of the result.
Imported only where torch.distributed.tensor has been.
"""

from typing import Any

import numpy as np

from yarncore.backends.backend import Backend, delivered
from yarncore.backends.parts.part import rotate_part
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_numpy
from yarncore.request.heads import token_shape_of
from yarncore.request.request import RotationRequest
from yarncore.turns.given import GivenTables
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable


class DTensorBackend(Backend):
    """Shards over batch, heads or sequence, rotated where they are."""

    name = "generic"
    does = "shard by shard, each by the backend of its own device, distributed tensors of"
    frameworks = ("torch",)

    def refusal(self, x: Array) -> str | None:
        from yarncore.frameworks.torch import is_dtensor

        return None if is_dtensor(x) else "it is no DTensor"

    def request_refusal(self, request: RotationRequest) -> str | None:
        if request.slots is not None:
            return "slots name tokens of all shards"
        if isinstance(request.record.turns, GivenTables):
            return "shards are turned by positions, not by tables that are given"
        if not isinstance(request.record.turns, TurnsTable) or not isinstance(request.positions.offset, int):
            return "the frequencies or the offset of the positions are traced"
        return None

    def rotate(self, request: RotationRequest) -> list[Array]:
        return delivered(request, [_rotate(x, request, request.record_of(n)) for n, x in enumerate(request.inputs)])


def _rotate(x: Any, request: RotationRequest, record: RotationRecord) -> Any:
    from torch.distributed.tensor import DTensor

    placements = _placements_of_tokens(x, request.heads_axis)
    local = x.to_local()
    shape = token_shape_of(local, request.heads_axis)
    positions = _positions(request, x.device)
    positions = _shard(positions, placements, len(record.position_axes), x.device_mesh, "positions")
    if record.rows is not None:
        rows = np.broadcast_to(record.rows, request.token_shape) if is_numpy(record.rows) else record.rows
        rows = _shard(_tensor(rows, x.device), placements, 0, x.device_mesh, "length")
        record = record.changed(rows=rows.numpy() if rows.device.type == "cpu" else rows, lengths_shape=shape)
    result = rotate_part(RotationRequest.of_part(local, positions, record, request.heads_axis))
    return DTensor.from_local(result, x.device_mesh, x.placements, run_check=False, shape=x.shape, stride=x.stride())


def _placements_of_tokens(x: Any, heads_axis: int | None) -> list[Any]:
    """How the token axes are cut, for each axis of the mesh.

    Raises
    ------
    ValueError
        Where the last axis is cut, or x is a sum that has not been taken.
    """
    from torch.distributed.tensor import Replicate, Shard

    heads = None if heads_axis is None else x.ndim + heads_axis
    placements = []
    for placement in x.placements:
        if placement.is_partial():
            raise ValueError(f"the placements are {x.placements}: a sum that has not been taken; redistribute it first")
        if not placement.is_shard() or placement.dim % x.ndim == heads:
            placements.append(Replicate())
            continue
        axis = placement.dim % x.ndim
        if axis == x.ndim - 1:
            raise ValueError(
                f"the placements are {x.placements}: the last axis is cut, and a pair must not be torn apart"
            )
        placements.append(Shard(axis - (heads is not None and axis > heads)))
    return placements


def _tensor(value: Any, device: Any) -> Any:
    import torch

    return value if isinstance(value, torch.Tensor) else torch.as_tensor(np.array(value), device=device)


def _positions(request: RotationRequest, device: Any) -> Any:
    """The positions of all tokens, whole or cut already."""
    import torch

    if request.positions.array is not None:
        return _tensor(request.positions.array, device)
    shape = request.token_shape
    counted = torch.arange(shape[-1] if shape else 1, device=device) + request.positions.offset
    return counted.expand(shape) if shape else counted[0]


def _shard(values: Any, placements: list[Any], lead: int, mesh: Any, name: str) -> Any:
    """This process's part of values that cover all tokens, cut as the tokens are; nothing is sent.

    Raises
    ------
    ValueError
        Where they are cut otherwise.
    """
    from torch.distributed.tensor import Shard, distribute_tensor

    from yarncore.frameworks.torch import is_dtensor

    wanted = [Shard(p.dim + lead) if p.is_shard() else p for p in placements]
    if is_dtensor(values):
        if list(values.placements) != wanted:
            raise ValueError(
                f"{name} has the placements {values.placements}; {tuple(wanted)}, as the tokens, is expected"
            )
        return values.to_local()
    # src_data_rank=None: each process takes its part of what it has.
    return distribute_tensor(values.contiguous(), mesh, wanted, src_data_rank=None).to_local()
