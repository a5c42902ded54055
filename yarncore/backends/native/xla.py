"""The compiled rotation for JAX on the CPU, called by XLA itself.

Only for those who insist: XLA does not know how to cut a foreign call over devices, and gathers what is sharded. It is
differentiated backwards (jax.custom_vjp), not forwards.
"""

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from yarncore.backends.backend import Backend
from yarncore.backends.generic.rows import positions_of
from yarncore.backends.native.extension import MISSING, available_extension, numbers_of, type_or_shape_refusal
from yarncore.frameworks.expressions import namespace_of
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_numpy
from yarncore.request.request import RotationRequest
from yarncore.turns.given import GivenTables
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns

_TARGET = "yarncore_rotate"
_NO_SECTIONS = 255


class NativeJaxBackend(Backend):
    """yarncore._core on JAX arrays of the CPU, under jit or not."""

    name = "native"
    does = "the extension, called by XLA, reads and writes the memory of"
    frameworks = ("jax",)
    past_framework = False  # XLA calls it, and knows its derivative

    def refusal(self, x: Array) -> str | None:
        if MISSING is not None:
            return MISSING
        import jax

        platform = jax.default_backend()
        if platform != "cpu":
            return f"XLA's call of the extension is for the CPU, and JAX computes on {platform}"
        return type_or_shape_refusal(x)

    def request_refusal(self, request: RotationRequest) -> str | None:
        if isinstance(request.record.turns, TracedTurns):
            return "the frequencies are traced; steps= would be served"
        if isinstance(request.record.turns, GivenTables):
            return "it turns by positions, not by tables that are given"
        return None

    def rotate(self, request: RotationRequest) -> list[Array]:
        record, grid = request.record, request.token_shape
        xp = namespace_of(request.inputs[0])
        positions = positions_of(xp, request, grid, request.inputs[0])
        if record.position_axes:  # the sections last: a batch that vmap adds comes first
            positions = xp.moveaxis(xp.broadcast_to(positions, (*record.position_axes, *grid)), 0, -1)
        else:
            positions = xp.broadcast_to(positions, grid)
        rows = record.rows
        if rows is not None:
            rows = xp.broadcast_to(xp.asarray(rows, dtype=xp.int32) if is_numpy(rows) else rows, grid)
        work = Work(record.changed(rows=None, lengths_shape=()), request.heads_axis, request.both_queries)
        return list(_function()(work, tuple(request.inputs), positions, rows))


@dataclass(frozen=True, eq=False)
class Work:
    """What is done to the arrays, and static under jit."""

    record: RotationRecord
    heads_axis: int | None
    both_queries: bool

    @property
    def _key(self) -> tuple[Any, ...]:
        table, section = self.record.turns, self.record.pair_section
        assert isinstance(table, TurnsTable)
        section_bytes = None if section is None else section.tobytes()
        layout = (self.record.conjugate, self.record.interleaved, self.record.rotary_start, self.heads_axis)
        return table.text, section_bytes, layout, self.record.query_letters, self.both_queries

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Work) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def adjoint(self) -> "Work":
        return replace(self, record=self.record.adjoint)


@functools.cache
def _function() -> Any:
    """The rotation as a function of JAX, made when it is first asked for."""
    import jax

    jax.ffi.register_ffi_target(_TARGET, available_extension().jax_handler(), platform="cpu")

    def call(work: Work, arrays: Any, positions: Any, rows: Any) -> Any:
        record, table = work.record, work.record.turns
        assert isinstance(table, TurnsTable)
        section = record.pair_section
        results = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in arrays]
        layout = (work.heads_axis or 0, record.interleaved, record.conjugate, rows is not None, record.rotary_start)
        return jax.ffi.ffi_call(_TARGET, results, vmap_method="broadcast_all")(
            *arrays, positions, *(() if rows is None else (rows,)),
            layout=np.array(layout, dtype=np.int64), words=table.words.ravel(), factors=table.factors_float64,
            pair_section=np.array([_NO_SECTIONS], np.uint8) if section is None else section,
            query_scale=np.array([*(numbers_of(record) or (0,) * 5), work.both_queries], np.float64),
        )  # fmt: skip

    rotate = jax.custom_vjp(call, nondiff_argnums=(0,))

    def forward(work: Work, arrays: Any, positions: Any, rows: Any) -> Any:
        return rotate(work, arrays, positions, rows), (positions, rows)

    def backward(work: Work, places: Any, gradients: Any) -> Any:
        return tuple(rotate(work.adjoint(), tuple(gradients), *places)), None, None

    rotate.defvjp(forward, backward)
    return rotate
