"""How rotations compose, and the one form that equal ones have."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.frameworks.known import is_numpy
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns
from yarncore.turns.words import Words, added, first_is_negative, negated


def canonical(
    layout: RotationRecord,
    words: npt.NDArray[np.uint32],
    factors: list[Fraction],
    softmax: list[float],
    rows: npt.NDArray[Any] | None,
) -> tuple[RotationRecord, tuple[float, ...]]:
    """One form for equal rotations: rows in order of appearance, none twice, the first turn that is not 0 positive."""
    index = [0] if rows is None else rows.ravel().tolist()
    numbers: dict[tuple[Any, ...], int] = {}
    number_of: dict[int, int] = {}
    kept: list[int] = []
    for row in dict.fromkeys(index):
        factor = factors[row]
        key = (words[row].tobytes(), factor.numerator, factor.denominator, softmax[row])
        number_of[row] = numbers.setdefault(key, len(kept))
        if number_of[row] == len(kept):
            kept.append(row)
    kept = kept or [0]  # lengths of an empty batch
    words, factors, softmax = words[kept], [factors[row] for row in kept], [softmax[row] for row in kept]
    conjugate = layout.conjugate
    if first_is_negative(words):
        words = negated(words)
        conjugate = not conjugate
    renumbered = [number_of[row] for row in index]
    record = layout.changed(
        turns=TurnsTable(words, tuple(factors)),
        rows=None if rows is None else np.array(renumbered, dtype=np.int32).reshape(rows.shape),
        lengths_shape=() if rows is None else rows.shape,
        conjugate=conjugate,
    )
    if record.rows is not None:
        record.rows.flags.writeable = False
    return record, tuple(softmax)


def compose(x: RotationRecord, y: RotationRecord) -> tuple[RotationRecord, tuple[float, ...]]:
    """Both rotations, one after the other: turns added, factors multiplied, exactly."""
    if (
        isinstance(x.turns, TracedTurns)
        or isinstance(y.turns, TracedTurns)
        or not ((x.rows is None or is_numpy(x.rows)) and (y.rows is None or is_numpy(y.rows)))
    ):
        raise TypeError("a traced Rotation cannot be composed; a scaling with steps has a concrete one for each step")
    assert isinstance(x.turns, TurnsTable)
    assert isinstance(y.turns, TurnsTable)
    for name in ("rotary_dim", "interleaved", "sections"):
        if getattr(x, name) != getattr(y, name):
            raise ValueError(f"{name} is {getattr(x, name)} and {getattr(y, name)}; the same in both is expected")
    if None not in (x.head_dim, y.head_dim) and x.head_dim != y.head_dim:
        raise ValueError(f"head_dim is {x.head_dim} and {y.head_dim}; the same in both is expected")
    if (x.pair_section is None) != (y.pair_section is None) or (
        x.pair_section is not None and not np.array_equal(x.pair_section, y.pair_section)  # type: ignore[arg-type]
    ):
        raise ValueError("the sections differ; the same in both are expected")
    try:
        shape = np.broadcast_shapes(x.lengths_shape, y.lengths_shape)
    except ValueError:
        raise ValueError(
            f"the lengths have shapes {x.lengths_shape} and {y.lengths_shape}, which do not broadcast"
        ) from None
    rows_x, rows_y = (
        np.broadcast_to(0 if record.rows is None else record.rows, shape).ravel().astype(np.int64) for record in (x, y)
    )
    pairs, index = np.unique(rows_x * y.turns.rows + rows_y, return_inverse=True)
    of_x, of_y = (pairs // y.turns.rows, pairs % y.turns.rows) if pairs.size else (np.zeros(1, int), np.zeros(1, int))
    words = added(*(_signed(record)[rows] for record, rows in ((x, of_x), (y, of_y))))
    factors = [x.turns.factors[i] * y.turns.factors[j] for i, j in zip(of_x.tolist(), of_y.tolist(), strict=True)]
    layout = x.changed(conjugate=False, head_dim=x.head_dim if x.head_dim is not None else y.head_dim)
    rows = index.reshape(shape) if x.rows is not None or y.rows is not None else None
    return canonical(layout, words, factors, [1.0] * len(factors), rows)


def _signed(record: RotationRecord) -> Words:
    """The turns of every row, with their direction."""
    assert isinstance(record.turns, TurnsTable)
    return negated(record.turns.words) if record.conjugate else record.turns.words
