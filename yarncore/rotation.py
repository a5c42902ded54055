"""Rotation: a rotary embedding's numbers at one length, ready to rotate."""

import hashlib
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.arguments import boolean, integer, is_number, real_number
from yarncore.backends.choice import choose
from yarncore.element_types import element_type
from yarncore.namespaces import (
    Array,
    device_argument,
    is_array,
    is_numpy,
    is_torch,
    is_traced,
    namespace_of,
    widest_float,
)
from yarncore.request import AUTOMATIC_HEADS_AXIS, Turning, make_request
from yarncore.turns import TracedTurns, TurnsTable, integers_of, traced_turns, words_of, words_of_frequencies

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "<required>"})()
"""Default of an argument that must be given, so that its absence gets a sentence of its own."""


def run(
    turning: Turning,
    q: Array,
    k: Array | None,
    positions: Any,
    *,
    heads_axis: Any,
    out: Any = None,
    in_place: bool = False,
    backend: str | None = None,
    slots: Any = None,
    names: tuple[str, str] = ("q", "k"),
) -> Any:
    """Check, choose a backend, rotate: one array in, one array out; two in, two out."""
    if positions is REQUIRED:
        hint = ""
        if is_array(k) and element_type(k) is None:
            hint = "; for one array they come third: rotate(q, None, positions)"
        raise TypeError(f"positions is required (None means 0, 1, 2, ... along the last token axis){hint}")
    request = make_request(
        turning, q, k, positions, heads_axis=heads_axis, out=out, in_place=in_place, slots=slots, names=names
    )
    results = choose(request, backend).rotate(request)
    return results[0] if k is None else tuple(results)


class Rotation:
    """A rotary embedding resolved at a length: fixed-point turns, factors and the pair layout.

    Immutable, hashable and comparable by what it computes. Leading axes of the frequencies are those of several
    lengths; everything broadcasts over them.

    Parameters
    ----------
    inverse_frequencies : array of float, shape (..., rotary_dim / 2)
        Radians per token, finite.
    attention_factor : float or array of shape (...), default 1
        Multiplies the rotated elements of q and k. > 0.
    softmax_scale_factor : float or array of shape (...), default 1
        What attention multiplies its logits by; nothing here applies it. > 0.
    head_dim : int, optional
        Elements of a head; None: any that is at least rotary_dim. What is beyond rotary_dim passes through.
    interleaved : bool, default False
        Pairs (2i, 2i+1) instead of (i, i + rotary_dim / 2).

    Raises
    ------
    TypeError, ValueError
        Where a value is of the wrong type, not finite, not positive, or of the wrong shape.
    """

    __slots__ = ("_cache", "_continuous", "_softmax", "_text", "_turning")

    _turning: Turning
    _softmax: Any
    _text: Callable[[], str]
    _continuous: bool
    _cache: dict[str, Any]

    def __init__(
        self,
        inverse_frequencies: Any,
        attention_factor: Any = 1.0,
        softmax_scale_factor: Any = 1.0,
        head_dim: int | None = None,
        interleaved: bool = False,
    ) -> None:
        if is_array(inverse_frequencies) and is_traced(inverse_frequencies):
            lengths = tuple(inverse_frequencies.shape[:-1])
            built = of_arrays(
                inverse_frequencies, attention_factor, softmax_scale_factor,
                head_dim=_checked_head_dim(head_dim, 2 * inverse_frequencies.shape[-1]), interleaved=boolean("interleaved", interleaved),
            )
        else:
            theta = _host_frequencies(inverse_frequencies)
            lengths = theta.shape[:-1]
            built = of_numbers(
                theta.reshape(-1, theta.shape[-1]),
                _host_factors("attention_factor", attention_factor, lengths),
                _host_factors("softmax_scale_factor", softmax_scale_factor, lengths),
                np.arange(math.prod(lengths)).reshape(lengths) if lengths else None,
                head_dim=_checked_head_dim(head_dim, 2 * theta.shape[-1]),
                interleaved=boolean("interleaved", interleaved),
            )
        for name in ("_turning", "_softmax", "_text", "_continuous", "_cache"):
            setattr(self, name, getattr(built, name))

    # What it is

    @property
    def inverse_frequencies(self) -> Array:
        """Radians per token, shape (*lengths, rotary_dim / 2): the float64 view of the turns, read-only.

        Negative where the rotation turns backwards. Of a traced rotation: an array of its framework.
        """
        if "theta" not in self._cache:
            turning = self._turning
            if isinstance(turning.turns, TracedTurns):
                theta = turning.turns.inverse_frequencies
            else:
                theta = turning.turns.inverse_frequencies()
                theta = self._at_rows(theta)
            theta = -theta if turning.conjugate else theta
            if is_numpy(theta):
                theta.flags.writeable = False
            if is_traced(theta):
                return theta
            self._cache["theta"] = theta
        return self._cache["theta"]

    @property
    def attention_factor(self) -> Any:
        """Multiplies the rotated elements. ALREADY inside rotate and cos_sin: do not multiply again."""
        turns = self._turning.turns
        if isinstance(turns, TracedTurns):
            return turns.factors
        return self._at_rows(turns.factors_float64)

    @property
    def softmax_scale_factor(self) -> Any:
        """What attention multiplies its logits by. NOT applied by anything here."""
        if isinstance(self._turning.turns, TracedTurns):
            return self._softmax
        return self._at_rows(np.asarray(self._softmax, dtype=np.float64))

    def softmax_scale(self, head_dim: int) -> Any:
        """softmax_scale_factor / sqrt(head_dim): the number for attention's `scale=`.

        Parameters
        ----------
        head_dim : int
            Of the whole query: for MLA qk_nope_head_dim + qk_rope_head_dim.
        """
        count = integer("head_dim", head_dim)
        if count < 1:
            raise ValueError(f"head_dim is {head_dim!r}; an integer >= 1 is expected")
        return self.softmax_scale_factor / math.sqrt(count)

    @property
    def rotary_dim(self) -> int:
        """Elements of a head that turn."""
        return self._turning.rotary_dim

    @property
    def head_dim(self) -> int | None:
        """Elements of a head; None: any that is at least rotary_dim."""
        return self._turning.head_dim

    @property
    def interleaved(self) -> bool:
        """Whether pairs are (2i, 2i+1) instead of (i, i + rotary_dim / 2)."""
        return self._turning.interleaved

    @property
    def id(self) -> str:
        """A hash of all that it computes: equal where rotations are equal, across processes and versions."""
        if "id" not in self._cache:
            self._cache["id"] = hashlib.sha256(repr(self._key()).encode()).hexdigest()[:32]
        return str(self._cache["id"])

    # What it does

    def rotate(
        self,
        q: Array,
        k: Array | None,
        positions: Any = REQUIRED,
        *,
        heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
        out: Any = None,
        backend: str | None = None,
    ) -> Any:
        """Rotate q and k; see Rope.rotate."""
        return run(self._turning, q, k, positions, heads_axis=heads_axis, out=out, backend=backend)

    def rotate_(
        self,
        q: Array,
        k: Array | None,
        positions: Any = REQUIRED,
        *,
        heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
        backend: str | None = None,
    ) -> Any:
        """Rotate q and k in place and return them; see Rope.rotate_."""
        return run(self._turning, q, k, positions, heads_axis=heads_axis, in_place=True, backend=backend)

    def cos_sin(self, positions: Any, *, dtype: Any = None) -> tuple[Array, Array]:
        """cos and sin of the phases, attention factor included; see Rope.cos_sin."""
        return cos_sin(self._turning, positions, dtype)

    # What else follows from it

    @property
    def inverse(self) -> "Rotation":
        """The rotation that undoes it: turns negated, factor 1/m. Its softmax_scale_factor is 1."""
        return self._turned_back(lambda factor: 1 / factor, "inverse")

    @property
    def adjoint(self) -> "Rotation":
        """Its vector-Jacobian product: turns negated, the same factor m."""
        return self._turned_back(lambda factor: factor, "adjoint")

    def _turned_back(self, of_factor: Callable[[Any], Any], name: str) -> "Rotation":
        turning = self._turning
        turns: TurnsTable | TracedTurns
        if isinstance(turning.turns, TracedTurns):
            turns = TracedTurns(turning.turns.words, of_factor(turning.turns.factors), turning.turns.inverse_frequencies)
            softmax = turns.factors * 0 + 1
        else:
            turns = TurnsTable(turning.turns.words, tuple(of_factor(factor) for factor in turning.turns.factors))
            softmax = (1.0,) * turns.rows
        return _assemble(_changed(turning, turns=turns, conjugate=not turning.conjugate), softmax, lambda: f"{self!r}.{name}")

    def __matmul__(self, other: "Rotation") -> "Rotation":
        """The rotation that does `other` and then this one. new @ old.inverse turns keys of `old` into keys of `new`.

        Turns are added and factors multiplied exactly; softmax_scale_factor is 1.

        Raises
        ------
        ValueError
            Where rotary_dim, head_dim, pair layout or sections differ.
        TypeError
            Where one is traced.
        """
        if not isinstance(other, Rotation):
            return NotImplemented
        return _compose(self, other)

    def temperature_in(self, place: str) -> "Rotation":
        """The same logits, with the temperature in one place: "softmax" or "cos_sin".

        Raises
        ------
        ValueError
            For another place, and where only a part of the head turns: the attention factor reaches the turned
            elements alone, the softmax factor the whole logit, so neither can stand for the other.
        """
        if place not in ("softmax", "cos_sin"):
            raise ValueError(f'place is {place!r}; "softmax" or "cos_sin" is expected')
        turning = self._turning
        if turning.head_dim not in (None, turning.rotary_dim):
            raise ValueError(
                f"only {turning.rotary_dim} of {turning.head_dim} elements turn: their factor cannot move to the logits of all"
            )
        m, k = self.attention_factor, self.softmax_scale_factor
        root = k**0.5
        on_cos_sin, on_softmax = (m * 0 + 1.0, k * m * m) if place == "softmax" else (m * root, k * 0 + 1.0)
        return self._with_factors(on_cos_sin, on_softmax, f"temperature_in({place!r})")

    def _with_factors(self, attention: Any, softmax: Any, text: str) -> "Rotation":
        turning = self._turning
        whole = _changed(turning, head_dim=turning.rotary_dim)
        if isinstance(turning.turns, TracedTurns):
            turns = TracedTurns(turning.turns.words, attention, turning.turns.inverse_frequencies)
            return _assemble(_changed(whole, turns=turns), softmax, lambda: f"{self!r}.{text}")
        rows = np.zeros((), dtype=np.int64) if turning.rows is None else turning.rows
        words = turning.turns.words[rows.reshape(-1)]
        factors = [Fraction(float(factor)) for factor in np.ravel(attention)]
        index = None if turning.rows is None else np.arange(rows.size).reshape(rows.shape)
        return _canonical(whole, words, factors, [float(value) for value in np.ravel(softmax)], index, lambda: f"{self!r}.{text}")

    def without_factor(self) -> "Rotation":
        """The same turns with attention factor and softmax_scale_factor 1: what moves a key that is rotated already."""
        factor = self.attention_factor * 0 + 1.0
        turned = self._with_factors(factor, factor, "without_factor()")
        return _assemble(_changed(turned._turning, head_dim=self.head_dim), turned._softmax, turned._text)

    # Python's own

    def _key(self) -> tuple[Any, ...]:
        turning = self._turning
        if isinstance(turning.turns, TracedTurns):
            raise TypeError("a traced Rotation has no values yet: it cannot be compared or hashed")
        return (
            "yarncore.Rotation", 1,
            turning.turns.words.astype("<u4").tobytes(),
            tuple((factor.numerator, factor.denominator) for factor in turning.turns.factors),
            tuple(self._softmax),
            turning.lengths_shape,
            None if turning.rows is None else tuple(turning.rows.ravel().tolist()),
            turning.conjugate, turning.interleaved, turning.head_dim, turning.turns.pairs,
            None if turning.pair_section is None else turning.pair_section.tobytes(),
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rotation):
            return NotImplemented
        if isinstance(self._turning.turns, TracedTurns) or isinstance(other._turning.turns, TracedTurns):
            return self is other
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return self._text()

    def __reduce__(self) -> tuple[Any, ...]:
        turning = self._turning
        if isinstance(turning.turns, TracedTurns):
            raise TypeError("a traced Rotation cannot be pickled")
        return _restore, (turning, self._softmax, repr(self), self._continuous)

    def _at_rows(self, values: npt.NDArray[Any]) -> Any:
        """Values of the rows of the table, for each length."""
        rows = self._turning.rows
        if rows is None:
            value = values[0]
            return float(value) if value.ndim == 0 else value.copy()
        if is_numpy(rows):
            return values[rows]
        xp = namespace_of(rows)
        table = xp.asarray(values, dtype=widest_float(xp))
        return xp.reshape(xp.take(table, xp.reshape(rows, (-1,)), axis=0), (*rows.shape, *values.shape[1:]))


def _changed(turning: Turning, **changes: Any) -> Turning:
    fields = {name: getattr(turning, name) for name in Turning.__slots__}
    return Turning(**(fields | changes))


def _assemble(turning: Turning, softmax: Any, text: Callable[[], str], continuous: bool = False) -> Rotation:
    rotation = Rotation.__new__(Rotation)
    rotation._turning = turning
    rotation._softmax = softmax
    rotation._text = text
    rotation._continuous = continuous
    rotation._cache = {}
    return rotation


def _restore(turning: Turning, softmax: Any, text: str, continuous: bool) -> Rotation:
    return _assemble(turning, softmax, lambda: text, continuous)


def of_numbers(
    theta: npt.NDArray[np.float64],
    attention: npt.NDArray[np.float64],
    softmax: npt.NDArray[np.float64],
    rows: npt.NDArray[Any] | None,
    *,
    head_dim: int | None,
    interleaved: bool,
    pair_section: npt.NDArray[np.uint8] | None = None,
    sections: int = 1,
    text: Callable[[], str] | None = None,
    continuous: bool = False,
) -> Rotation:
    """A concrete rotation from rows of frequencies (rows, pairs), factors (rows,) and the row of each length."""
    words = words_of_frequencies(theta)
    factors = [Fraction(value) for value in attention.tolist()]
    layout = Turning(
        TurnsTable(words[:1], (Fraction(1),)), None, (), False, interleaved, head_dim, pair_section, sections
    )
    if text is None:
        text = _written_out(theta, attention, softmax, rows, head_dim, interleaved)
    rotation = _canonical(layout, words, factors, softmax.tolist(), rows, text)
    rotation._continuous = continuous
    return rotation


def of_arrays(
    theta: Array, attention: Any, softmax: Any, *, head_dim: int | None, interleaved: bool,
    pair_section: npt.NDArray[np.uint8] | None = None, sections: int = 1,
) -> Rotation:  # fmt: skip
    """A rotation whose numbers are arrays of a framework: traced, or on a device."""
    xp = namespace_of(theta)
    real = widest_float(xp)
    theta = xp.astype(theta, real)
    shape = tuple(theta.shape[:-1])
    attention, softmax = (
        value if is_array(value) else xp.zeros_like(theta[..., 0]) + value for value in (attention, softmax)
    )
    turning = Turning(
        traced_turns(xp, theta, attention), None, shape, False, interleaved, head_dim, pair_section, sections
    )
    return _assemble(turning, softmax, lambda: f"<traced Rotation, inverse_frequencies of shape {tuple(theta.shape)}>", True)


def of_rows(
    table: TurnsTable, softmax: tuple[float, ...], rows: Array, *, head_dim: int | None, interleaved: bool,
    pair_section: npt.NDArray[np.uint8] | None = None, sections: int = 1,
) -> Rotation:  # fmt: skip
    """A rotation that chooses the rows of a concrete table by an index that is not known yet."""
    turning = Turning(table, rows, tuple(rows.shape), False, interleaved, head_dim, pair_section, sections)
    return _assemble(turning, softmax, lambda: f"<Rotation by a traced index of shape {tuple(rows.shape)}>")


def _canonical(
    layout: Turning,
    words: npt.NDArray[np.uint32],
    factors: list[Fraction],
    softmax: list[float],
    rows: npt.NDArray[Any] | None,
    text: Callable[[], str],
) -> Rotation:
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
    turning = _changed(
        layout,
        turns=TurnsTable(words, tuple(factors)),
        rows=None if rows is None else np.array(renumbered, dtype=np.int32).reshape(rows.shape),
        lengths_shape=() if rows is None else rows.shape,
        conjugate=conjugate,
    )
    if turning.rows is not None:
        turning.rows.flags.writeable = False
    return _assemble(turning, tuple(softmax), text)


def _compose(a: Rotation, b: Rotation) -> Rotation:
    x, y = a._turning, b._turning
    if isinstance(x.turns, TracedTurns) or isinstance(y.turns, TracedTurns) or not (
        (x.rows is None or is_numpy(x.rows)) and (y.rows is None or is_numpy(y.rows))
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
        raise ValueError(f"the lengths have shapes {x.lengths_shape} and {y.lengths_shape}, which do not broadcast") from None
    rows_x, rows_y = (
        np.broadcast_to(0 if turning.rows is None else turning.rows, shape).ravel().tolist() for turning in (x, y)
    )
    signed_x, signed_y = (
        [[-v if turning.conjugate else v for v in integers_of(row)] for row in turning.turns.words]  # type: ignore[union-attr]
        for turning in (x, y)
    )
    combined: dict[tuple[int, int], int] = {}
    words, factors, index = [], [], []
    for pair in zip(rows_x, rows_y, strict=True):
        if pair not in combined:
            combined[pair] = len(words)
            words.append(words_of(u + v for u, v in zip(signed_x[pair[0]], signed_y[pair[1]], strict=True)))
            factors.append(x.turns.factors[pair[0]] * y.turns.factors[pair[1]])
        index.append(combined[pair])
    layout = _changed(x, conjugate=False, head_dim=x.head_dim if x.head_dim is not None else y.head_dim)
    rows = np.array(index).reshape(shape) if x.rows is not None or y.rows is not None else None
    if not words:  # lengths of an empty batch
        words, factors = [np.zeros((5, x.turns.pairs), dtype=np.uint32)], [Fraction(1)]
    return _canonical(layout, np.stack(words), factors, [1.0] * len(words), rows, lambda: f"({a!r} @ {b!r})")


def cos_sin(turning: Turning, positions: Any, dtype: Any) -> tuple[Array, Array]:
    """cos and sin as the rotation of (1, 0): the one primitive, so that they are what rotate uses."""
    if positions is None:
        raise TypeError("positions is None; an integer, a list or an array is expected: there is no tensor to count along")
    if is_number(positions) and not is_array(positions):
        positions = np.asarray(positions)
    given = positions if is_array(positions) else np.asarray(positions if len(positions) else np.zeros(0, dtype=np.int64))
    xp = namespace_of(given)
    if dtype is None:
        dtype = _default_float(xp)
    leading = 0 if turning.pair_section is None else 1
    grid = tuple(given.shape[leading:])
    if turning.lengths_shape:
        grid = np.broadcast_shapes(grid, turning.lengths_shape)
    if given.shape == ():
        given = xp.reshape(given, (1,))  # one token: a 0-d integer would be read as an offset
        grid = grid or (1,)
    pairs = turning.turns.pairs
    unit = xp.zeros((*grid, 2, pairs), dtype=dtype, **device_argument(xp, given))
    ones = xp.ones_like(unit[..., :1, :])
    unit = xp.reshape(xp.concat([ones, unit[..., 1:, :]], axis=-2), (*grid, 2 * pairs))
    plain = _changed(turning, interleaved=False, head_dim=None)
    turned = run(plain, unit, None, given, heads_axis=None)
    if not hasattr(positions, "shape") or tuple(positions.shape) == ():
        turned = turned[0, ...] if grid == (1,) else turned
    return turned[..., :pairs], turned[..., pairs:]


def _default_float(xp: Any) -> Any:
    if getattr(xp, "__name__", "").endswith("torch"):
        import torch

        return torch.get_default_dtype()
    return xp.asarray(1.0).dtype


def _host_frequencies(value: Any) -> npt.NDArray[np.float64]:
    name = "inverse_frequencies"
    if is_torch(value):
        value = value.detach().numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} makes no array: {error}") from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are expected")
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name} has shape {array.shape}; (..., rotary_dim / 2) with at least one pair is expected")
    return array.astype(np.float64)


def _host_factors(name: str, value: Any, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    if is_torch(value):
        value = value.detach().numpy()
    if not is_array(value) or getattr(value, "shape", None) == ():
        number = real_number(name, value if not is_array(value) else float(value), above=0)
        return np.full(max(math.prod(shape), 1), number)
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are expected")
    if not (np.isfinite(array) & (array > 0)).all():
        raise ValueError(f"{name} has entries that are not finite and > 0")
    try:
        return np.broadcast_to(array.astype(np.float64), shape).ravel()
    except ValueError:
        raise ValueError(f"{name} has shape {array.shape}; {shape}, that of the lengths, is expected") from None


def _checked_head_dim(head_dim: Any, rotary_dim: int) -> int | None:
    if head_dim is None:
        return None
    count = integer("head_dim", head_dim)
    if count < rotary_dim:
        raise ValueError(f"head_dim is {count}; at least 2 * the number of frequencies = {rotary_dim} is expected")
    return count


def _written_out(
    theta: npt.NDArray[np.float64], attention: npt.NDArray[np.float64], softmax: npt.NDArray[np.float64],
    rows: npt.NDArray[Any] | None, head_dim: int | None, interleaved: bool,
) -> Callable[[], str]:  # fmt: skip
    def text() -> str:
        if rows is None:
            numbers = f"{theta[0].tolist()}, {float(attention[0])}, {float(softmax[0])}"
        else:
            per_length = ", ".join(f"np.array({values[rows].tolist()})" for values in (attention, softmax))
            numbers = f"{theta[rows].tolist()}, {per_length}"
        return f"Rotation({numbers}, head_dim={head_dim}, interleaved={interleaved})"

    return text
