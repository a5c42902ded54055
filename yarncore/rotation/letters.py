"""Rotations in letters, which torch.compile guards and a traced graph holds: numbers of ours it can do nothing with."""

from collections.abc import Callable
from typing import Any, Literal, overload

from yarncore.frameworks.known import is_numpy, of
from yarncore.frameworks.tracers import dynamo_traces
from yarncore.rotation.numbers import Numbers
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns

NO_VALUES = "a traced Rotation has no values yet: it cannot be compared or hashed"


@overload
def letters_of(record: RotationRecord, softmax: Any, wait: Literal[True]) -> str: ...
@overload
def letters_of(record: RotationRecord, softmax: Any) -> str | None: ...
def letters_of(record: RotationRecord, softmax: Any, wait: bool = False) -> str | None:
    """All that a rotation computes besides its table: equal ones have equal letters, and tables of equal text.

    None where that would have to wait for a device.

    Raises
    ------
    TypeError
        With `wait`, where nothing is known yet.
    """
    rows = record.rows
    traced = isinstance(record.turns, TracedTurns) or (rows is not None and dynamo_traces())
    if traced and wait:
        raise TypeError(NO_VALUES)
    if traced or not (wait or rows is None or is_numpy(rows)):
        return None
    index = "" if rows is None else of(rows).on_host(rows).astype("<i4").tobytes().hex()
    return (
        f"rows {index} {record.lengths_shape}, softmax {softmax}, conjugate {record.conjugate}, head {record.head_dim} "
        f"{record.rotary_start} {record.interleaved}, sections {record.sections} {record.section_letters}"
    )


def in_letters(record: RotationRecord, softmax: Any, continuous: bool) -> str:
    """The numbers of a rotation with one row, as of_letters reads them."""
    assert isinstance(record.turns, TurnsTable)
    return f"{softmax[0]!r} {continuous} {record.turns.text}"


def of_letters(letters: str, layout: RotationRecord, name: Callable[[], str]) -> Numbers:
    """What a rotation is made of, in the layout of another, while torch.compile traces."""
    softmax, continuous, text = letters.split(" ", 2)
    record = layout.changed(turns=TurnsTable.in_a_trace(text, 1, layout.turns.pairs))
    return Numbers(record, (float(softmax),), name, continuous == "True")
