"""The compiled rotation by given tables as an operator of torch's, which torch.compile keeps as one node of its graph."""

from typing import Any

import torch

from yarncore.backends.backend import delivered
from yarncore.backends.native.host import NativeBackend
from yarncore.frameworks.expressions import constant, namespace_of
from yarncore.request.request import RotationRequest
from yarncore.turns.given import GivenTables
from yarncore.turns.record import RotationRecord

_LIBRARY = torch.library.Library("yarncore", "FRAGMENT")  # kept: its operators live as long as it does
_LIBRARY.define(
    "rotate_by(Tensor[] arrays, Tensor cos, Tensor sin, bool conjugate, bool interleaved, int? heads_axis) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def _rotate_on_cpu(
    arrays: list[Any], cos: Any, sin: Any, conjugate: bool, interleaved: bool, heads_axis: int | None
) -> Any:
    tables = GivenTables(cos.detach(), sin.detach())
    record = RotationRecord(tables, None, (), conjugate, interleaved, None, None, 1)
    parts = [RotationRequest.of_part(x.detach(), None, record, heads_axis) for x in arrays]
    return [NativeBackend().rotate(part)[0] for part in parts]


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    _, cos, sin, *ctx.layout = inputs
    ctx.save_for_backward(cos, sin)


def _turn_gradients_back(ctx: Any, gradients: list[Any]) -> Any:
    conjugate, interleaved, heads_axis = ctx.layout
    known = [gradient for gradient in gradients if gradient is not None]
    turned = iter(torch.ops.yarncore.rotate_by(known, *ctx.saved_tensors, not conjugate, interleaved, heads_axis))
    return ([None if gradient is None else next(turned) for gradient in gradients], *(None,) * 5)


_LIBRARY.impl("rotate_by", _rotate_on_cpu, "CPU")
torch.library.register_fake(
    "yarncore::rotate_by", lambda arrays, *_: [torch.empty_like(x) for x in arrays], lib=_LIBRARY
)
torch.library.register_autograd("yarncore::rotate_by", _turn_gradients_back, setup_context=_save, lib=_LIBRARY)


def rotate_by_tables(request: RotationRequest, tables: GivenTables) -> list[Any]:
    """The results of a request that is being traced, each one node of the graph."""
    like, record = request.inputs[0], request.record
    cos, sin = (
        table if isinstance(table, torch.Tensor) else constant(namespace_of(like), table, None, like=like)
        for table in (tables.cos, tables.sin)
    )
    results = torch.ops.yarncore.rotate_by(
        request.inputs, cos, sin, record.conjugate, record.interleaved, request.heads_axis
    )
    return delivered(request, results)
