"""Rotations in letters, which torch.compile guards and a traced graph holds: numbers of ours it can do nothing with."""

from collections.abc import Callable
from typing import Any, Literal, overload

from yarncore.frameworks.known import is_numpy, of
from yarncore.frameworks.tracers import dynamo_traces
from yarncore.rotation.algebra import canonical
from yarncore.rotation.numbers import Numbers
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable

NO_VALUES = "a traced Rotation has no values yet: it cannot be compared or hashed"
ONLY_OUTSIDE = (
    "a Rotation with a row a length is compared under torch.compile after it was once compared or hashed outside"
)


@overload
def letters_of(record: RotationRecord, softmax: Any, wait: Literal[True]) -> tuple[str, str]: ...
@overload
def letters_of(record: RotationRecord, softmax: Any) -> tuple[str, str] | None: ...
def letters_of(record: RotationRecord, softmax: Any, wait: bool = False) -> tuple[str, str] | None:
    """All that a rotation computes, its table last: equal ones have equal letters.

    None where that takes time, for rows that an index chooses: they are put into the form that equal ones share.

    Raises
    ------
    TypeError
        With `wait`, where nothing is known yet.
    """
    rows, turns = record.rows, record.turns
    traced = not isinstance(turns, TurnsTable) or (rows is not None and dynamo_traces())
    if traced and wait:
        raise TypeError(NO_VALUES if rows is None or not is_numpy(rows) else ONLY_OUTSIDE)
    if traced or not (wait or rows is None):
        return None
    index = ""
    if rows is not None:
        assert isinstance(turns, TurnsTable)
        host = of(rows).on_host(rows)
        record, softmax = canonical(record, turns.words, list(turns.factors), list(softmax), host)
        assert record.rows is not None
        index = record.rows.astype("<i4").tobytes().hex()
    assert isinstance(record.turns, TurnsTable)
    layout = (
        f"rows {index} {record.lengths_shape}, softmax {softmax}, conjugate {record.conjugate}, head {record.head_dim} "
        f"{record.rotary_start} {record.interleaved}, sections {record.sections} {record.section_letters}, "
        f"queries {record.query_letters}"
    )
    return layout, record.turns.text


def in_letters(record: RotationRecord, softmax: Any, continuous: bool) -> str:
    """The numbers of a rotation with one row, as of_letters reads them."""
    assert isinstance(record.turns, TurnsTable)
    return f"{softmax[0]!r} {continuous} {record.turns.text}"


def of_letters(letters: str, layout: RotationRecord, name: Callable[[], str]) -> Numbers:
    """What a rotation is made of, in the layout of another, while torch.compile traces."""
    softmax, continuous, text = letters.split(" ", 2)
    record = layout.changed(turns=TurnsTable.in_a_trace(text, 1, layout.turns.pairs))
    return Numbers(record, (float(softmax),), name, continuous == "True")
