"""How rotations compose, and the one form that equal ones have."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.query_scale.query_scale import joined
from yarncore.request.positions import broadcast_shape, broadcasts_to
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
    words, turned = first_positive(words)
    renumbered = [number_of[row] for row in index]
    record = layout.changed(
        turns=TurnsTable(words, tuple(factors)),
        rows=None if rows is None else np.array(renumbered, dtype=np.int32).reshape(rows.shape),
        lengths_shape=() if rows is None else rows.shape,
        conjugate=layout.conjugate != turned,
    )
    if record.rows is not None:
        record.rows.flags.writeable = False
    return record, tuple(softmax)


def first_positive(words: Words) -> tuple[Words, bool]:
    """Turns whose first one that is not 0 is positive, and whether they had to be turned about for that."""
    return (negated(words), True) if first_is_negative(words) else (words, False)


# What becomes of the factors, by the name of what is derived from one rotation.
FACTOR_OF: dict[str, Callable[[Any], Any]] = {
    "inverse": lambda factor: 1 / factor,
    "adjoint": lambda factor: factor,
    "without_factor": lambda factor: factor / factor,
}


def derive(name: str, record: RotationRecord) -> tuple[RotationRecord, Any]:
    """The inverse, the adjoint, or the rotation without its factor; its softmax factors, which are 1."""
    turned = turned_for(name, record)
    turns = record.turns
    if isinstance(turns, TracedTurns):
        factors = FACTOR_OF[name](turns.factors)
        return turned.changed(turns=TracedTurns(turns.words, factors, turns.inverse_frequencies)), factors * 0 + 1
    assert isinstance(turns, TurnsTable)
    fractions, ones = list(map(FACTOR_OF[name], turns.factors)), [1.0] * turns.rows
    if name == "without_factor":  # rows may have differed in their factors alone
        return canonical(turned, turns.words, fractions, ones, record.rows)
    return turned.changed(turns=TurnsTable(turns.words, tuple(fractions))), tuple(ones)


def turned_for(name: str, record: RotationRecord) -> RotationRecord:
    """The record of what is derived, whose factors are still those of `record`."""
    if name == "without_factor":  # it moves keys
        return record.for_keys
    if name == "adjoint" or record.query_scale is None:
        return record.adjoint
    return record.adjoint.changed(query_scale=record.query_scale.inverse, query_letters="")


def check_fit(x: RotationRecord, y: RotationRecord) -> None:
    """Raise TypeError or ValueError where two rotations cannot be done one after the other."""
    if isinstance(x.turns, TracedTurns) or isinstance(y.turns, TracedTurns):
        raise TypeError("a traced Rotation cannot be composed; a scaling with steps has a concrete one for each step")
    assert isinstance(x.turns, TurnsTable)
    assert isinstance(y.turns, TurnsTable)
    for name in ("rotary_dim", "rotary_start", "interleaved", "sections"):
        if getattr(x, name) != getattr(y, name):
            raise ValueError(f"{name} is {getattr(x, name)} and {getattr(y, name)}; the same in both is expected")
    if None not in (x.head_dim, y.head_dim) and x.head_dim != y.head_dim:
        raise ValueError(f"head_dim is {x.head_dim} and {y.head_dim}; the same in both is expected")
    if x.section_letters != y.section_letters:
        raise ValueError("the sections differ; the same in both are expected")
    shape = broadcast_shape(x.lengths_shape, y.lengths_shape)
    if not (broadcasts_to(x.lengths_shape, shape) and broadcasts_to(y.lengths_shape, shape)):
        raise ValueError(f"the lengths have shapes {x.lengths_shape} and {y.lengths_shape}, which do not broadcast")


def layout_of_both(x: RotationRecord, y: RotationRecord, **changes: Any) -> RotationRecord:
    """What two rotations that fit have in common."""
    head_dim = x.head_dim if x.head_dim is not None else y.head_dim
    scale = joined(x.query_scale, y.query_scale)
    return x.changed(head_dim=head_dim, query_scale=scale, query_letters="", **changes)


def compose(x: RotationRecord, y: RotationRecord) -> tuple[RotationRecord, tuple[float, ...]]:
    """Both rotations, one after the other: turns added, factors multiplied, exactly; its softmax factors.

    Raises
    ------
    TypeError, ValueError
        Where they do not fit each other.
    """
    check_fit(x, y)
    assert isinstance(x.turns, TurnsTable)
    assert isinstance(y.turns, TurnsTable)
    shape = broadcast_shape(x.lengths_shape, y.lengths_shape)
    rows_x, rows_y = (
        np.broadcast_to(0 if record.rows is None else record.rows, shape).ravel().astype(np.int64) for record in (x, y)
    )
    pairs, index = np.unique(rows_x * y.turns.rows + rows_y, return_inverse=True)
    of_x, of_y = (pairs // y.turns.rows, pairs % y.turns.rows) if pairs.size else (np.zeros(1, int), np.zeros(1, int))
    words, factors = sums_of((x.turns, x.conjugate), (y.turns, y.conjugate), of_x, of_y)
    layout = layout_of_both(x, y, conjugate=False)
    rows = index.reshape(shape) if x.rows is not None or y.rows is not None else None
    return canonical(layout, words, factors, [1.0] * len(factors), rows)


Signed = tuple[TurnsTable, bool]
"""A table, and whether it turns backwards."""
Rows = npt.NDArray[np.int64]


def sums_of(x: Signed, y: Signed, of_x: Rows, of_y: Rows) -> tuple[Words, list[Fraction]]:
    """Turns added and factors multiplied, of some rows of both: words (pairs of rows, 5, pairs), and factors."""
    signed_x, signed_y = (negated(table.words) if conjugate else table.words for table, conjugate in (x, y))
    factors = [x[0].factors[i] * y[0].factors[j] for i, j in zip(of_x.tolist(), of_y.tolist(), strict=True)]
    return added(signed_x[of_x], signed_y[of_y]), factors
