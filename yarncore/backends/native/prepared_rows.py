"""Rows of cos and sin that the extension made once, for the calls to come."""

import math
from typing import Any

import numpy as np

from yarncore.backends.native.extension import available_extension, native_turns, numbers_of
from yarncore.backends.native.plain_call import know_torch
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import of
from yarncore.request.prepared import PreparedPositions
from yarncore.request.tensors import element_type
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable

_core = available_extension()


def rows_of_prepared(
    prepared: PreparedPositions | None, record: RotationRecord, arrays: list[Array]
) -> tuple[Any, Any] | None:
    """The extension's rows for these arrays, and the number of each token's; None where a call makes its own."""
    if prepared is None or not isinstance(record.turns, TurnsTable):
        return None
    types = {element_type(x) == "float64" for x in arrays}
    doubles = True in types
    if len(types) > 1 or not prepared.may_be_kept(8 if doubles else 4):
        return None
    key = ("native", doubles, record.conjugate, record.query_scale)
    if key not in prepared.kept:
        grid = prepared.grid
        positions = of(prepared.array).on_host(prepared.array)
        rows = _core.Rows(
            native_turns(record.turns),
            shape=grid,
            doubles=doubles,
            conjugate=record.conjugate,
            rows=record.rows,
            positions=np.broadcast_to(positions, (*record.position_axes, *grid)),
            pair_section=record.pair_section,
            query_scale=numbers_of(record),
        )
        prepared.kept[key] = rows, np.arange(math.prod(grid), dtype=np.int32).reshape(grid)
    return prepared.kept[key]  # type: ignore[no-any-return]


def short_cut_of_prepared(prepared: PreparedPositions, record: RotationRecord) -> Any:
    """The extension's object for calls on arrays of the kind that came first; False before any came."""
    if _core is None:
        return False
    know_torch()
    for doubles in (False, True):
        made = prepared.kept.get(("native", doubles, record.conjugate, record.query_scale))
        if made is not None:
            head_dim = -1 if record.head_dim is None else record.head_dim
            layout = head_dim, record.interleaved, record.conjugate, None, 1, made[1], record.rotary_start
            return _core.ShortCut(made[0], *layout, numbers_of(record))
    return False
