"""The compiled rotation as an operator of torch's, which torch.compile keeps as one node of its graph.

Turns travel as text, so that a graph that is stored and read in another process rotates by the same numbers. An exported
graph does not hold this operator: it must run where yarncore is not installed.
"""

import functools
from typing import Any

import numpy as np
import torch

from yarncore.backends.backend import delivered
from yarncore.backends.generic.rows import positions_of
from yarncore.backends.native.host import NativeBackend
from yarncore.backends.native.plain_call import short_cut_of
from yarncore.backends.native.torch_tensors import register_once
from yarncore.backends.torch.recorded import Work, batched
from yarncore.frameworks.expressions import constant, namespace_of
from yarncore.request.request import RotationRequest, make_request
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable

_LIBRARY = torch.library.Library("yarncore", "DEF")  # kept: its operators live as long as it does
_LIBRARY.define(
    "rotate(Tensor[] arrays, Tensor? positions, SymInt offset, Tensor? rows, Tensor? pair_section, str turns, int sections, "
    "bool conjugate, bool interleaved, int? heads_axis, int rotary_start) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)


@functools.lru_cache(maxsize=256)
def _turning(
    turns: str, pair_section: bytes | None, sections: int, conjugate: bool, interleaved: bool, rotary_start: int
) -> RotationRecord:
    """The RotationRecord of an operator's arguments, made once."""
    section = None if pair_section is None else np.frombuffer(pair_section, np.uint8)
    table = TurnsTable.of_text(turns)
    return RotationRecord(table, None, (), conjugate, interleaved, None, section, sections, rotary_start=rotary_start)


def _rotate_on_cpu(
    arrays: list[Any], positions: Any, offset: int, rows: Any, pair_section: Any, turns: str, sections: int,
    conjugate: bool, interleaved: bool, heads_axis: int | None, rotary_start: int,
) -> Any:  # fmt: skip
    section = None if pair_section is None else pair_section.numpy().tobytes()
    record = _turning(turns, section, sections, conjugate, interleaved, rotary_start)
    if rows is not None:
        record = record.changed(rows=rows.numpy(), lengths_shape=tuple(rows.shape))
    else:
        q, k = arrays if len(arrays) == 2 else (arrays[0], None)
        given = offset if positions is None else positions
        done = short_cut_of(record).attempt(q, k, given, heads_axis, False, None)
        if done is not None:
            return [done] if k is None else list(done)
    work = Work(record, heads_axis, offset, None, NativeBackend().rotate)
    return [work.native(work.request(x.detach(), positions))[0] for x in arrays]


def _shapes_of_results(
    arrays: list[Any], positions: Any, offset: Any, rows: Any, pair_section: Any, turns: str, sections: int,
    conjugate: bool, interleaved: bool, heads_axis: int | None, rotary_start: int,
) -> Any:  # fmt: skip
    if positions is not None and pair_section is None:
        # The checks of a call that came by torch_compiled.py, which makes none.
        record = _turning(turns, None, 1, conjugate, interleaved, rotary_start)
        make_request(record, arrays[0], arrays[1] if len(arrays) == 2 else None, positions, heads_axis=heads_axis)
    return [torch.empty_like(x) for x in arrays]


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    _, positions, ctx.offset, rows, pair_section, *ctx.layout = inputs
    ctx.save_for_backward(positions, rows, pair_section)


def _turn_gradients_back(ctx: Any, gradients: list[Any]) -> Any:
    positions, rows, pair_section = ctx.saved_tensors
    turns, sections, conjugate, interleaved, heads_axis, rotary_start = ctx.layout
    turned = iter(
        torch.ops.yarncore.rotate(
            [gradient for gradient in gradients if gradient is not None], positions, ctx.offset, rows, pair_section,
            turns, sections, not conjugate, interleaved, heads_axis, rotary_start,
        )
    )  # fmt: skip
    return ([None if gradient is None else next(turned) for gradient in gradients], *(None,) * 10)


def _rotate_batched(info: Any, in_dims: Any, arrays: list[Any], positions: Any, offset: int, *rest: Any) -> Any:
    if any(axis is not None for axis in in_dims[3:]):
        raise NotImplementedError("vmap over the numbers of a rotation is not supported; over x and positions it is")
    _, pair_section, _, _, _, _, heads_axis, _ = rest
    lead = 0 if pair_section is None else 1
    moved = [
        batched(info.batch_size, x, axis, positions, in_dims[1], lead, heads_axis)
        for x, axis in zip(arrays, in_dims[0], strict=True)
    ]
    results = torch.ops.yarncore.rotate([x for x, _ in moved], moved[0][1], offset, *rest)
    return results, [0] * len(results)


ROTATE = torch.ops.yarncore.rotate.default

register_once()
_LIBRARY.impl("rotate", _rotate_on_cpu, "CPU")
torch.library.register_fake("yarncore::rotate", _shapes_of_results, lib=_LIBRARY)
torch.library.register_autograd("yarncore::rotate", _turn_gradients_back, setup_context=_save, lib=_LIBRARY)
torch.library.register_vmap("yarncore::rotate", _rotate_batched, lib=_LIBRARY)


def rotate_by_operator(request: RotationRequest) -> list[Any]:
    """The results of a request that is being traced, each one node of the graph."""
    record, positions = request.record, request.positions
    table = record.turns
    assert isinstance(table, TurnsTable)
    like = request.inputs[0]

    def tensor(value: Any, dtype: Any) -> Any:
        if value is None or isinstance(value, torch.Tensor):
            return value
        return constant(namespace_of(like), value, dtype, like=like)

    array, offset = tensor(positions.array, None), positions.offset
    if isinstance(offset, torch.Tensor):  # the operator takes a number
        array, offset = positions_of(namespace_of(like), request, request.token_shape, like), 0
    rows = tensor(record.rows, torch.int32)
    section = tensor(record.pair_section, torch.uint8)
    results = torch.ops.yarncore.rotate(
        request.inputs, array, offset, rows, section, table.text, record.sections, record.conjugate,
        record.interleaved, request.heads_axis, record.rotary_start,
    )  # fmt: skip
    return delivered(request, results)
