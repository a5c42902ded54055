"""Rotation: a rotary embedding's numbers at one length, ready to rotate."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore._arguments import integer
from yarncore.backends.carry_out import REQUIRED, cos_sin, run
from yarncore.backends.native.plain_call import short_cut_of, tries_short_cut
from yarncore.frameworks.expressions import constant, namespace_of, take_rows, widest_float
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_numpy, of
from yarncore.query_scale import QueryScale
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS
from yarncore.rotation.algebra import canonical
from yarncore.rotation.letters import NO_VALUES, letters_of
from yarncore.rotation.numbers import Numbers, of_given
from yarncore.rotation.prepared import Prepared
from yarncore.rotation.unread import composed, derived, is_read
from yarncore.turns.given import GivenTables
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns


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
        Elements of a head; None: any that holds what turns. The rest passes through.
    interleaved : bool, default False
        Pairs (2i, 2i+1) instead of (i, i + rotary_dim / 2).
    rotary_start : int, default 0
        Which element of a head is the first that turns.

    Raises
    ------
    TypeError, ValueError
        Where a value is of the wrong type, not finite, not positive, or of the wrong shape.
    """

    __slots__ = ("_cache", "_continuous", "_letters", "_record", "_short_cut", "_softmax", "_text")

    _record: RotationRecord
    _softmax: Any
    _text: Callable[[], str]
    _continuous: bool
    _cache: dict[str, Any]
    _short_cut: Any
    _letters: tuple[str, str] | None  # all that it computes, for comparisons; None: not known yet

    def __init__(
        self,
        inverse_frequencies: Any,
        attention_factor: Any = 1.0,
        softmax_scale_factor: Any = 1.0,
        head_dim: int | None = None,
        interleaved: bool = False,
        rotary_start: int = 0,
    ) -> None:
        factors = attention_factor, softmax_scale_factor
        self._adopt(of_given(inverse_frequencies, *factors, head_dim, interleaved, rotary_start))

    def _adopt(self, numbers: Numbers) -> None:
        self._record, self._softmax, self._text, self._continuous = numbers
        self._cache = {}
        self._short_cut = short_cut_of(numbers.record)
        self._letters = letters_of(numbers.record, numbers.softmax)

    @property
    def _turns(self) -> TurnsTable | TracedTurns:
        assert not isinstance(self._record.turns, GivenTables)
        return self._record.turns

    # What it is

    @property
    def inverse_frequencies(self) -> Array:
        """Radians per token, shape (*lengths, rotary_dim / 2): the float64 view of the turns, read-only.

        Negative where the rotation turns backwards. Of a traced rotation: an array of its framework.
        """
        if "theta" not in self._cache:
            turns = self._turns
            if isinstance(turns, TracedTurns):
                theta = turns.inverse_frequencies
            else:
                theta = self._at_rows(turns.inverse_frequencies())
            theta = -theta if self._record.conjugate else theta
            if is_numpy(theta):
                theta.flags.writeable = False
            if of(theta).is_traced(theta):
                return theta
            self._cache["theta"] = theta
        return self._cache["theta"]

    @property
    def attention_factor(self) -> Any:
        """Multiplies the rotated elements. ALREADY inside rotate and cos_sin: do not multiply again."""
        turns = self._turns
        if isinstance(turns, TracedTurns):
            return turns.factors
        return self._at_rows(turns.factors_float64)

    @property
    def softmax_scale_factor(self) -> Any:
        """What attention multiplies its logits by. NOT applied by anything here."""
        if isinstance(self._record.turns, TracedTurns):
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
        return self._record.rotary_dim

    @property
    def head_dim(self) -> int | None:
        """Elements of a head; None: any that holds what turns."""
        return self._record.head_dim

    @property
    def rotary_start(self) -> int:
        """Which element of a head is the first that turns."""
        return self._record.rotary_start

    @property
    def query_scale(self) -> QueryScale | None:
        """What multiplies queries by their position, beside the turning; None: nothing."""
        return self._record.query_scale

    @property
    def interleaved(self) -> bool:
        """Whether pairs are (2i, 2i+1) instead of (i, i + rotary_dim / 2)."""
        return self._record.interleaved

    @property
    def id(self) -> str:
        """A hash of all that it computes: equal where rotations are equal, across processes and versions."""
        if "id" not in self._cache:
            import hashlib  # 3 ms that few imports need

            self._cache["id"] = hashlib.sha256(repr(self._key()).encode()).hexdigest()[:32]
        return str(self._cache["id"])

    # What it does

    @tries_short_cut(in_place=False)
    def rotate(
        self,
        q: Array,
        k: Array | None,
        positions: Any = REQUIRED,
        *,
        heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
        query: bool | None = None,
        out: Any = None,
        backend: str | None = None,
    ) -> Any:
        """Rotate q and k; see Rope.rotate."""
        return run(self._record, q, k, positions, heads_axis=heads_axis, query=query, out=out, backend=backend)

    @tries_short_cut(in_place=True)
    def rotate_(
        self,
        q: Array,
        k: Array | None,
        positions: Any = REQUIRED,
        *,
        heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
        query: bool | None = None,
        backend: str | None = None,
    ) -> Any:
        """Rotate q and k in place and return them; see Rope.rotate_."""
        return run(self._record, q, k, positions, heads_axis=heads_axis, query=query, in_place=True, backend=backend)

    def prepare(self, positions: Any) -> Prepared:
        """The rotation at positions that many calls share, such as those of all layers; see Rope.prepare."""
        return Prepared(self._record, positions)

    def cos_sin(self, positions: Any, *, dtype: Any = None) -> tuple[Array, Array]:
        """cos and sin of the phases, attention factor included; see Rope.cos_sin."""
        return cos_sin(self._record, positions, dtype)

    # What else follows from it

    @property
    def inverse(self) -> "Rotation":
        """The rotation that undoes it: turns negated, factor 1/m. Its softmax_scale_factor is 1."""
        return self._derived("inverse", "inverse")

    @property
    def adjoint(self) -> "Rotation":
        """Its vector-Jacobian product: turns negated, the same factor m."""
        return self._derived("adjoint", "adjoint")

    def without_factor(self) -> "Rotation":
        """The same turns with attention factor and softmax_scale_factor 1, and no query scale: what moves a key that is
        rotated already."""
        return self._derived("without_factor", "without_factor()")

    def for_keys(self) -> "Rotation":
        """The same without a query scale: what turns keys, and composes with the rotations of other keys."""
        if self._record.query_scale is None:
            return self
        record = self._record.for_keys
        return assembled(Numbers(record, self._softmax, lambda: f"{self!r}.for_keys()", self._continuous))

    def _derived(self, name: str, written: str) -> "Rotation":
        kept = is_read(self._record)  # asked first: torch.compile would guard what is in the cache
        if kept and name in self._cache:
            return self._cache[name]  # type: ignore[no-any-return]
        made = assembled(Numbers(*derived(name, self._record), lambda: f"{self!r}.{written}"))
        if kept:
            self._cache[name] = made
        return made

    def of_slice(self) -> "Rotation":
        """The rotation of the slice that turns; see Rope.of_slice."""
        return self._laid_out("of_slice()", head_dim=self.rotary_dim, rotary_start=0)

    def in_halves(self) -> "Rotation":
        """The same numbers over pairs (i, i + rotary_dim / 2); see Rope.in_halves."""
        return self._laid_out("in_halves()", interleaved=False)

    def _laid_out(self, written: str, **layout: Any) -> "Rotation":
        numbers = Numbers(
            self._record.changed(**layout), self._softmax, lambda: f"{self!r}.{written}", self._continuous
        )
        return assembled(numbers)

    def __matmul__(self, other: object) -> "Rotation":
        """The rotation that does `other` and then this one. new @ old.inverse turns keys of `old` into keys of `new`.

        Turns are added and factors multiplied exactly; softmax_scale_factor is 1.

        Raises
        ------
        ValueError
            Where rotary_dim, rotary_start, head_dim, pair layout or sections differ, and of query scales that are not
            one: see for_keys.
        TypeError
            Where one is traced.
        """
        return self.after(other) if isinstance(other, Rotation) else NotImplemented

    def after(self, other: "Rotation") -> "Rotation":
        """What `self @ other` is, in a word that torch.compile can trace."""
        return assembled(Numbers(*composed(self._record, other._record), lambda: f"({self!r} @ {other!r})"))

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
        record = self._record
        if record.rotary_start or record.head_dim not in (None, record.rotary_dim):
            some = "the" if record.head_dim is None else record.head_dim
            raise ValueError(
                f"only {record.rotary_dim} of {some} elements turn: their factor cannot move to the whole logit"
            )
        m, k = self.attention_factor, self.softmax_scale_factor
        root = k**0.5
        on_cos_sin, on_softmax = (m * 0 + 1.0, k * m * m) if place == "softmax" else (m * root, k * 0 + 1.0)
        return self._with_factors(on_cos_sin, on_softmax, f"temperature_in({place!r})")

    def _with_factors(self, attention: Any, softmax: Any, text: str) -> "Rotation":
        record = self._record
        whole, turns = record.changed(head_dim=record.rotary_dim), self._turns
        if isinstance(turns, TracedTurns):
            turns = TracedTurns(turns.words, attention, turns.inverse_frequencies)
            return assembled(Numbers(whole.changed(turns=turns), softmax, lambda: f"{self!r}.{text}"))
        rows = np.zeros((), dtype=np.int64) if record.rows is None else record.rows
        words = turns.words[rows.reshape(-1)]
        factors = [Fraction(float(factor)) for factor in np.ravel(attention)]
        index = None if record.rows is None else np.arange(rows.size).reshape(rows.shape)
        softmax_rows = [float(value) for value in np.ravel(softmax)]
        made, kept = canonical(whole, words, factors, softmax_rows, index)
        return assembled(Numbers(made, kept, lambda: f"{self!r}.{text}"))

    # Python's own

    def _key(self) -> tuple[Any, ...]:
        """What it computes, as values: of rows that steps share, those that are in use."""
        record, softmax, table = self._record, self._softmax, self._turns
        if isinstance(table, TracedTurns):
            raise TypeError(NO_VALUES)
        if record.rows is not None:
            record, softmax = canonical(record, table.words, list(table.factors), list(softmax), record.rows)
        turns = record.turns
        assert isinstance(turns, TurnsTable)
        return (
            "yarncore.Rotation", 1,
            turns.words.astype("<u4").tobytes(),
            tuple((factor.numerator, factor.denominator) for factor in turns.factors),
            tuple(softmax),
            record.lengths_shape,
            None if record.rows is None else tuple(record.rows.ravel().tolist()),
            record.conjugate, record.interleaved, record.head_dim, turns.pairs,
            None if record.pair_section is None else record.pair_section.tobytes(),
            *((record.rotary_start,) if record.rotary_start else ()),  # else the id of before there were any
            *((record.query_letters,) if record.query_letters else ()),
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rotation):
            return NotImplemented
        if isinstance(self._record.turns, TracedTurns) or isinstance(other._record.turns, TracedTurns):
            return self is other
        return self._known_letters() == other._known_letters()

    def __hash__(self) -> int:
        return hash(self._known_letters())

    def _known_letters(self) -> tuple[str, str]:
        if self._letters is None:
            self._letters = letters_of(self._record, self._softmax, wait=True)
        return self._letters

    def __repr__(self) -> str:
        return self._text()

    def __reduce__(self) -> tuple[Any, ...]:
        record = self._record
        if isinstance(record.turns, TracedTurns):
            raise TypeError("a traced Rotation cannot be pickled")
        return _restore, (record.changed(), self._softmax, repr(self), self._continuous)

    def _at_rows(self, values: npt.NDArray[Any]) -> Any:
        """Values of the rows of the table, for each length."""
        rows = self._record.rows
        if rows is None:
            value = values[0]
            return float(value) if value.ndim == 0 else value.copy()
        if is_numpy(rows):
            return values[rows]
        xp = namespace_of(rows)
        return take_rows(xp, constant(xp, values, widest_float(xp), like=rows), rows)


def assembled(numbers: Numbers) -> Rotation:
    """The Rotation of numbers that are ready."""
    rotation = Rotation.__new__(Rotation)
    rotation._adopt(numbers)
    return rotation


def _restore(record: RotationRecord, softmax: Any, text: str, continuous: bool) -> Rotation:
    return assembled(Numbers(record, softmax, lambda: text, continuous))
