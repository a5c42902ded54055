"""The compiled rotation as a function that torch differentiates: backward, forward mode, vmap, and each of each other.

A rotation is linear in x, so that nothing of x is saved: its derivative is the adjoint rotation of the gradient, and
its tangent the same rotation of the tangent.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch

from yarncore.backends.backend import delivered
from yarncore.request.positions import padded
from yarncore.request.prepared import PreparedPositions
from yarncore.request.request import RotationRequest
from yarncore.turns.record import RotationRecord

Native = Any
"""Carries out a request on memory that nobody watches: the rotate of a backend."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is done to each tensor, positions apart: those may be wrapped by a transform."""

    record: RotationRecord
    heads_axis: int | None
    offset: int
    host_positions: Any  # NumPy positions, broadcast against the token axes; None where there are others
    native: Native
    prepared: PreparedPositions | None = None

    def adjoint(self) -> "Work":
        return replace(self, record=self.record.adjoint)

    def request(self, x: torch.Tensor, positions: torch.Tensor | None) -> RotationRequest:
        given = positions if self.host_positions is None else self.host_positions
        request = RotationRequest.of_part(x, given, self.record, self.heads_axis, self.offset)
        request.prepared = self.prepared
        return request


def batched(
    size: int, x: torch.Tensor, x_axis: int | None, positions: torch.Tensor | None, positions_axis: int | None,
    lead: int, heads_axis: int | None,
) -> tuple[torch.Tensor, torch.Tensor | None]:  # fmt: skip
    """x and positions with the axis that vmap maps over as one more token axis, the first, behind `lead` of positions."""
    x = x.unsqueeze(0).expand(size, *x.shape) if x_axis is None else x.movedim(x_axis, 0)
    if positions is not None and positions_axis is not None:
        tokens = x.ndim - 1 - (heads_axis is not None)
        positions = positions.movedim(positions_axis, 0)
        shape = padded(positions.shape[1:], lead, tokens - 1)
        positions = positions.reshape(size, *shape).movedim(0, lead)
    return x, positions


class _Rotate(torch.autograd.Function):  # type: ignore[misc]
    """x turned; differentiable in x any number of times."""

    @staticmethod
    def forward(x: torch.Tensor, positions: torch.Tensor | None, work: Work) -> torch.Tensor:
        return work.native(work.request(x.detach(), positions))[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, positions, ctx.work = inputs
        ctx.save_for_backward(positions)
        ctx.save_for_forward(positions)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (positions,) = ctx.saved_tensors
        if torch._C._functorch.is_legacy_batchedtensor(gradient):
            raise NotImplementedError("is_grads_batched=True (vectorize=True) is not supported; torch.func.jacrev is")
        return _Rotate.apply(gradient, positions, ctx.work.adjoint()), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Any, *_: Any) -> Any:
        (positions,) = ctx.saved_tensors
        return None if tangent is None else _Rotate.apply(tangent, positions, ctx.work)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: torch.Tensor, positions: torch.Tensor | None, work: Work) -> Any:
        lead = len(work.record.position_axes)
        if in_dims[1] is not None:
            work = replace(work, prepared=None)  # others now
        x, positions = batched(info.batch_size, x, in_dims[0], positions, in_dims[1], lead, work.heads_axis)
        return _Rotate.apply(x, positions, work), 0


def rotate_recorded(request: RotationRequest, native: Native) -> list[torch.Tensor]:
    """The results of a request whose tensors are recorded or transformed."""
    array, offset = request.positions.array, request.positions.offset
    tensor = array if isinstance(array, torch.Tensor) else None
    host = array if tensor is None else None

    def work(n: int) -> Work:
        return Work(request.record_of(n), request.heads_axis, offset, host, native, request.prepared)

    return delivered(request, [_Rotate.apply(x, tensor, work(n)) for n, x in enumerate(request.inputs)])
