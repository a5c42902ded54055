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
from yarncore.query_scale.query_scale import of_letters
from yarncore.request.request import RotationRequest, make_request
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable

_LIBRARY = torch.library.Library("yarncore", "DEF")  # kept: its operators live as long as it does
_LIBRARY.define(
    "rotate(Tensor[] arrays, Tensor? positions, SymInt offset, Tensor? rows, Tensor? pair_section, str turns, int sections, "
    "bool conjugate, bool interleaved, int? heads_axis, int rotary_start, str query_scale, bool? query) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)


@functools.lru_cache(maxsize=256)
def _turning(
    turns: str, pair_section: bytes | None, sections: int, conjugate: bool, interleaved: bool, rotary_start: int,
    query_scale: str,
) -> RotationRecord:  # fmt: skip
    """The RotationRecord of an operator's arguments, made once."""
    section = None if pair_section is None else np.frombuffer(pair_section, np.uint8)
    layout = conjugate, interleaved, None, section, sections, "", rotary_start, of_letters(query_scale)
    return RotationRecord(TurnsTable.of_text(turns), None, (), *layout)


def _rotate_on_cpu(
    arrays: list[Any], positions: Any, offset: int, rows: Any, pair_section: Any, turns: str, sections: int,
    conjugate: bool, interleaved: bool, heads_axis: int | None, rotary_start: int, query_scale: str,
    query: bool | None,
) -> Any:  # fmt: skip
    section = None if pair_section is None else pair_section.numpy().tobytes()
    record = _turning(turns, section, sections, conjugate, interleaved, rotary_start, query_scale)
    if rows is not None:
        record = record.changed(rows=rows.numpy(), lengths_shape=tuple(rows.shape))
    else:
        q, k = arrays if len(arrays) == 2 else (arrays[0], None)
        given = offset if positions is None else positions
        done = short_cut_of(record).attempt(q, k, given, heads_axis, False, None, query)
        if done is not None:
            return [done] if k is None else list(done)
    works = [
        Work(one, heads_axis, offset, None, NativeBackend().rotate) for one in _records(record, len(arrays), query)
    ]
    return [work.native(work.request(x.detach(), positions))[0] for x, work in zip(arrays, works, strict=True)]


def _records(record: RotationRecord, count: int, query: bool | None) -> list[RotationRecord]:
    """What turns each array; `query`: all are queries or none is, None: the first one is."""
    are_queries = [n == 0 if query is None else query for n in range(count)]
    return [record if is_query else record.for_keys for is_query in are_queries]


def _shapes_of_results(
    arrays: list[Any], positions: Any, offset: Any, rows: Any, pair_section: Any, turns: str, sections: int,
    conjugate: bool, interleaved: bool, heads_axis: int | None, rotary_start: int, query_scale: str,
    query: bool | None,
) -> Any:  # fmt: skip
    if positions is not None and pair_section is None:
        # The checks of a call that came by torch_compiled.py, which makes none.
        record = _turning(turns, None, 1, conjugate, interleaved, rotary_start, query_scale)
        k = arrays[1] if len(arrays) == 2 else None
        make_request(record, arrays[0], k, positions, heads_axis=heads_axis, query=query)
    return [torch.empty_like(x) for x in arrays]


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    _, positions, ctx.offset, rows, pair_section, *ctx.layout = inputs
    ctx.save_for_backward(positions, rows, pair_section)


def _turn_gradients_back(ctx: Any, gradients: list[Any]) -> Any:
    positions, rows, pair_section = ctx.saved_tensors
    turns, sections, conjugate, interleaved, heads_axis, rotary_start, query_scale, query = ctx.layout
    given = [n for n, gradient in enumerate(gradients) if gradient is not None]
    if query is None and len(given) == 1:
        query = given == [0]
    turned = iter(
        torch.ops.yarncore.rotate(
            [gradients[n] for n in given], positions, ctx.offset, rows, pair_section, turns, sections, not conjugate,
            interleaved, heads_axis, rotary_start, query_scale, query,
        )
    )  # fmt: skip
    return ([None if gradient is None else next(turned) for gradient in gradients], *(None,) * 12)


def _rotate_batched(info: Any, in_dims: Any, arrays: list[Any], positions: Any, offset: int, *rest: Any) -> Any:
    if any(axis is not None for axis in in_dims[3:]):
        raise NotImplementedError("vmap over the numbers of a rotation is not supported; over x and positions it is")
    _, pair_section, _, _, _, _, heads_axis, *_ = rest
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
        record.interleaved, request.heads_axis, record.rotary_start, record.query_letters,
        True if request.both_queries or len(request.inputs) == 1 else None,
    )  # fmt: skip
    return delivered(request, results)
