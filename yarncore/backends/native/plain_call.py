"""The short cut for plain calls, where the extension checks the arguments itself.

It does the work, or declines without a word and with nothing written; then the call goes through make_request, which
explains or finds another way. So the rules and their sentences stand there once, and a token costs little.
"""

import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

from yarncore.backends.native.extension import available_extension, native_turns, numbers_of
from yarncore.frameworks.known import is_numpy
from yarncore.frameworks.tracers import dynamo_traces
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable

Function = TypeVar("Function", bound=Callable[..., Any])


def _traced_get(self: Any, instance: Any, owner: Any = None) -> Any:
    """What torch.compile traces instead of the extension: the Python function, bound."""
    return self.__wrapped__.__get__(instance, owner)


_core = available_extension()
if _core is not None:
    _core.set_traced_get(_traced_get)


def tries_short_cut(in_place: bool, prepared: bool = False) -> Callable[[Function], Function]:
    """Decorate rotate or rotate_: plain calls go into the extension without a Python frame. `prepared`: they have no positions.

    The object's attribute `_short_cut`, made by short_cut_of, is asked first; it declines what it does not do, and then
    the function is called.
    """

    def decorate(function: Function) -> Function:
        return function if _core is None else cast(Function, _core.Method(function, in_place, prepared))

    return decorate


def short_cut_of(record: RotationRecord) -> Any:
    """The extension's object for a rotation whose rows, where it has several, can be read; False for any other, and while
    torch.compile traces.
    """
    if record.short_cut is None:
        if dynamo_traces():
            return False
        table = record.turns
        record.short_cut = False
        if _core is not None and isinstance(table, TurnsTable) and (record.rows is None or is_numpy(record.rows)):
            head_dim = -1 if record.head_dim is None else record.head_dim
            record.short_cut = _core.ShortCut(
                native_turns(table),
                head_dim,
                record.interleaved,
                record.conjugate,
                record.pair_section,
                record.sections,
                record.rows,
                record.rotary_start,
                numbers_of(record),
            )
    return record.short_cut


def attempt(
    record: RotationRecord, q: Any, k: Any, positions: Any, heads_axis: Any, in_place: bool, out: Any, query: Any
) -> Any:
    """The results of a plain call: the arrays themselves when in place, `out`, or fresh ones. None: declined."""
    know_torch()
    short_cut = short_cut_of(record)
    return short_cut.attempt(q, k, positions, heads_axis, in_place, out, query) if short_cut else None


def know_torch() -> None:
    """Tell the extension of torch's tensors, once torch is there: before that it declines them."""
    if "torch" in sys.modules:
        from yarncore.backends.native.torch_tensors import register_once

        register_once()


def attempt_append(record: RotationRecord, *arguments: Any) -> Any:
    """The rotated queries of a plain append_, True where there are none. None: declined, and nothing was written.

    Arguments: q, k, v, positions, key_cache, value_cache, slots, heads_axis, out.
    """
    short_cut = _short_cut_of_slots(record)
    return short_cut.append(*arguments) if short_cut else None


def attempt_move(record: RotationRecord, *arguments: Any) -> Any:
    """True where a plain move_ under one scale was carried out. None: declined, and nothing was written.

    Arguments: keys, source, target, by, into, values, values_into, heads_axis. `record` has no factor.
    """
    short_cut = _short_cut_of_slots(record)
    return short_cut.move(*arguments) if short_cut else None


def _short_cut_of_slots(record: RotationRecord) -> Any:
    torch = sys.modules.get("torch")
    if torch is not None and torch.compiler.is_compiling():
        return None
    know_torch()
    return short_cut_of(record) if record.rows is None else None
