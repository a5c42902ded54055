"""Numbers of every origin -> what a Rotation is made of."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from yarncore._arguments import boolean
from yarncore.frameworks.expressions import namespace_of, widest_float
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, of
from yarncore.query_scale import QueryScale
from yarncore.rotation.algebra import canonical
from yarncore.rotation.given import checked_head_dim, checked_rotary_start, host_factors, host_frequencies, written_out
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import traced_turns
from yarncore.turns.words import words_of_frequencies


class Layout(NamedTuple):
    """Which elements of a head turn together, by which of a token's positions, which way, and what else; see RotationRecord."""

    head_dim: int | None
    interleaved: bool
    pair_section: npt.NDArray[np.uint8] | None = None
    sections: int = 1
    section_letters: str = ""
    rotary_start: int = 0
    conjugate: bool = False
    query_scale: QueryScale | None = None


class Numbers(NamedTuple):
    """What a Rotation is made of.

    Attributes
    ----------
    record : RotationRecord
    softmax : tuple of float, one for each row of the table; of traced turns an array
    text : callable
        Its repr, made when it is asked for.
    continuous : bool
        Whether it belongs to a scale that changes with every token.
    """

    record: RotationRecord
    softmax: Any
    text: Callable[[], str]
    continuous: bool = False


def given_layout(head_dim: Any, rotary_dim: int, interleaved: Any, rotary_start: Any) -> Layout:
    """The layout that a caller gave to Rotation(...)."""
    start = checked_rotary_start(rotary_start)
    dim = checked_head_dim(head_dim, start + rotary_dim)
    return Layout(dim, boolean("interleaved", interleaved), rotary_start=start)


def of_given(
    inverse_frequencies: Any, attention_factor: Any, softmax_scale_factor: Any, head_dim: Any, interleaved: Any,
    rotary_start: Any,
) -> Numbers:  # fmt: skip
    """The numbers of Rotation(...), as the caller gave them.

    Raises
    ------
    TypeError, ValueError
        Where a value is of the wrong type, not finite, not positive, or of the wrong shape.
    """
    if is_array(inverse_frequencies) and of(inverse_frequencies).is_traced(inverse_frequencies):
        layout = given_layout(head_dim, 2 * inverse_frequencies.shape[-1], interleaved, rotary_start)
        return of_arrays(inverse_frequencies, attention_factor, softmax_scale_factor, layout)
    theta = host_frequencies(inverse_frequencies)
    lengths = theta.shape[:-1]
    return of_numbers(
        theta.reshape(-1, theta.shape[-1]),
        host_factors("attention_factor", attention_factor, lengths),
        host_factors("softmax_scale_factor", softmax_scale_factor, lengths),
        np.arange(math.prod(lengths)).reshape(lengths) if lengths else None,
        given_layout(head_dim, 2 * theta.shape[-1], interleaved, rotary_start),
    )


def of_numbers(
    theta: npt.NDArray[np.float64],
    attention: npt.NDArray[np.float64],
    softmax: npt.NDArray[np.float64],
    rows: npt.NDArray[Any] | None,
    layout: Layout,
    text: Callable[[], str] | None = None,
    continuous: bool = False,
) -> Numbers:
    """Concrete numbers: rows of frequencies (rows, pairs), factors (rows,) and the row of each length."""
    words = words_of_frequencies(theta)
    factors = [Fraction(value) for value in attention.tolist()]
    record = RotationRecord(TurnsTable(words[:1], (Fraction(1),)), None, (), *_placed(layout))
    if text is None:
        text = written_out(theta, attention, softmax, rows, layout.head_dim, layout.interleaved, layout.rotary_start)
    return Numbers(*canonical(record, words, factors, softmax.tolist(), rows), text, continuous)


def of_arrays(theta: Array, attention: Any, softmax: Any, layout: Layout) -> Numbers:
    """Numbers that are arrays of a framework: traced, or on a device."""
    xp = namespace_of(theta)
    theta = xp.astype(theta, widest_float(xp))
    attention, softmax = (
        value if is_array(value) else xp.zeros_like(theta[..., 0]) + value for value in (attention, softmax)
    )
    shape = tuple(theta.shape[:-1])
    record = RotationRecord(traced_turns(xp, theta, attention), None, shape, *_placed(layout))

    def text() -> str:  # when it is asked for: TorchScript's tracer has tensors for extents
        return f"<traced Rotation, inverse_frequencies of shape {(*shape, record.turns.pairs)}>"

    return Numbers(record, softmax, text, continuous=True)


def of_rows(
    table: TurnsTable, softmax: tuple[float, ...], rows: Array, layout: RotationRecord, text: Callable[[], str]
) -> Numbers:
    """The rows of a concrete table that an index chooses, which may not be known yet."""
    return Numbers(layout.changed(turns=table, rows=rows, lengths_shape=tuple(rows.shape)), softmax, text)


def _placed(layout: Layout) -> tuple[Any, ...]:
    head_dim, interleaved, pair_section, sections, letters, rotary_start, conjugate, query_scale = layout
    return conjugate, interleaved, head_dim, pair_section, sections, letters, rotary_start, query_scale
