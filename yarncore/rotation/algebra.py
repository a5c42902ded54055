"""How rotations compose, and the one form that equal ones have."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.frameworks.known import is_numpy
from yarncore.turns.fixed_point import integers_of, words_of
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns


def canonical(
    layout: RotationRecord,
    words: npt.NDArray[np.uint32],
    factors: list[Fraction],
    softmax: list[float],
    rows: npt.NDArray[Any] | None,
) -> tuple[RotationRecord, tuple[float, ...]]:
    """One form for equal rotations: rows in order of appearance, none twice, the first turn that is not 0 positive."""
    order: dict[tuple[Any, ...], int] = {}
    kept: list[int] = []
    index = [0] if rows is None else rows.ravel().tolist()
    renumbered = []
    for row in index:
        key = (words[row].tobytes(), factors[row], softmax[row])
        if key not in order:
            order[key] = len(kept)
            kept.append(row)
        renumbered.append(order[key])
    words = words[kept] if kept else words[:1]
    factors = [factors[row] for row in kept] or factors[:1]
    softmax = [softmax[row] for row in kept] or softmax[:1]
    values = [integers_of(row) for row in words]
    first = next((value for row in values for value in row if value), 1)
    conjugate = layout.conjugate
    if first < 0:
        words = np.stack([words_of(-value for value in row) for row in values])
        conjugate = not conjugate
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
        np.broadcast_to(0 if record.rows is None else record.rows, shape).ravel().tolist() for record in (x, y)
    )
    signed_x, signed_y = (
        [[-v if record.conjugate else v for v in integers_of(row)] for row in record.turns.words] for record in (x, y)
    )
    combined: dict[tuple[int, int], int] = {}
    words: list[npt.NDArray[np.uint32]] = []
    factors, index = [], []
    for pair in zip(rows_x, rows_y, strict=True):
        if pair not in combined:
            combined[pair] = len(words)
            words.append(words_of(u + v for u, v in zip(signed_x[pair[0]], signed_y[pair[1]], strict=True)))
            factors.append(x.turns.factors[pair[0]] * y.turns.factors[pair[1]])
        index.append(combined[pair])
    layout = x.changed(conjugate=False, head_dim=x.head_dim if x.head_dim is not None else y.head_dim)
    rows = np.array(index).reshape(shape) if x.rows is not None or y.rows is not None else None
    if not words:  # lengths of an empty batch
        words, factors = [np.zeros((5, x.turns.pairs), dtype=np.uint32)], [Fraction(1)]
    return canonical(layout, np.stack(words), factors, [1.0] * len(words), rows)
