"""The algebra of tables whose rows an index chooses that cannot be read, or that only torch.compile sees.

A traced graph holds no numbers of ours, but letters: the results are made of the letters of tables, while it is traced.
"""

from typing import Any

import numpy as np

from yarncore.frameworks.expressions import constant, namespace_of
from yarncore.frameworks.known import is_numpy
from yarncore.frameworks.tracers import constant_in_a_trace, dynamo_traces
from yarncore.request.positions import broadcast_shape
from yarncore.rotation import algebra
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns

_FORWARDS, _BACKWARDS = "+-"


def is_read(record: RotationRecord) -> bool:
    """Whether the numbers of a rotation can be read now."""
    if dynamo_traces() or isinstance(record.turns, TracedTurns):
        return False
    return record.rows is None or is_numpy(record.rows)


def derived(name: str, record: RotationRecord) -> tuple[RotationRecord, Any]:
    """What algebra.derive makes of one rotation; its softmax factors."""
    if isinstance(record.turns, TracedTurns) or is_read(record):
        return algebra.derive(name, record)
    turned = algebra.turned_for(name, record)
    assert isinstance(record.turns, TurnsTable)
    table = _table(_text_of_one(name, record.turns.text), record.turns.rows, record.turns.pairs)
    return turned.changed(turns=table), (1.0,) * table.rows


def composed(x: RotationRecord, y: RotationRecord) -> tuple[RotationRecord, Any]:
    """Both rotations, one after the other; its softmax factors. Where rows are not read: a row for each pair of rows.

    Raises
    ------
    TypeError, ValueError
        Where they do not fit each other.
    """
    algebra.check_fit(x, y)
    if is_read(x) and is_read(y):
        return algebra.compose(x, y)
    assert isinstance(x.turns, TurnsTable)
    assert isinstance(y.turns, TurnsTable)
    text = _text_of_pairs(x.turns.text, x.conjugate, y.turns.text, y.conjugate)
    count = x.turns.rows * y.turns.rows
    layout = algebra.layout_of_both(
        x,
        y,
        turns=_table(text[1:], count, x.turns.pairs),
        rows=_row_of_pair(x, y, y.turns.rows),
        lengths_shape=broadcast_shape(x.lengths_shape, y.lengths_shape),
        conjugate=text[0] == _BACKWARDS,
    )
    return layout, (1.0,) * count


def _row_of_pair(x: RotationRecord, y: RotationRecord, count: int) -> Any:
    if x.rows is None or y.rows is None:
        return y.rows if x.rows is None else x.rows
    first, second = x.rows, y.rows
    if is_numpy(first) and not is_numpy(second):
        first = constant(namespace_of(second), first, second.dtype, like=second)
    elif is_numpy(second) and not is_numpy(first):
        second = constant(namespace_of(first), second, first.dtype, like=first)
    return first * count + second


def _table(text: str, rows: int, pairs: int) -> TurnsTable:
    return TurnsTable.in_a_trace(text, rows, pairs) if dynamo_traces() else TurnsTable.of_text(text)


@constant_in_a_trace
def _text_of_one(name: str, text: str) -> str:
    table = TurnsTable.of_text(text)
    return TurnsTable(table.words, tuple(map(algebra.FACTOR_OF[name], table.factors))).text


@constant_in_a_trace
def _text_of_pairs(x: str, x_conjugate: bool, y: str, y_conjugate: bool) -> str:
    """Whether it turns backwards, in a letter, and the table, in which the first turn that is not 0 is positive."""
    first, second = TurnsTable.of_text(x), TurnsTable.of_text(y)
    of_first = np.repeat(np.arange(first.rows), second.rows)
    of_second = np.tile(np.arange(second.rows), first.rows)
    words, factors = algebra.sums_of((first, x_conjugate), (second, y_conjugate), of_first, of_second)
    words, backwards = algebra.first_positive(words)
    return (_BACKWARDS if backwards else _FORWARDS) + TurnsTable(words, tuple(factors)).text
