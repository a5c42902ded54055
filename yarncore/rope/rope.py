"""Rope: a model's rotary embedding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from yarncore._arguments import boolean, integer, real_number
from yarncore.backends.carry_out import REQUIRED, cos_sin, run
from yarncore.backends.native.plain_call import tries_short_cut
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import checked_namespace, is_array, of, of_namespace
from yarncore.frameworks.tracers import constant_in_a_trace, dynamo_traces
from yarncore.query_scale import QueryScale
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS
from yarncore.rope.resolution import Resolution, checked_length
from yarncore.rope.sections import (
    SectionOrder,
    checked_order,
    checked_sections,
    places_in_series,
    section_of_pairs,
    series_of,
)
from yarncore.rotation.letters import in_letters, of_letters
from yarncore.rotation.numbers import Layout
from yarncore.rotation.prepared import Prepared
from yarncore.rotation.rotation import Rotation, assembled
from yarncore.scaling.scaling import Scaling, as_call
from yarncore.scaling.unscaled import Series
from yarncore.turns.record import RotationRecord, letters_of_sections

_LARGEST_DIM = 2**16  # far beyond any head; a slip of the keyboard must not compute for hours


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Rope:
    """A model's rotary embedding: it fully says what it computes.

    Hashable, comparable, picklable; `repr` evaluates.

    Parameters
    ----------
    head_dim : int
        Elements of a head of q and k (of the rotary slice where only a slice is passed, as for MLA). Even.
    base : float, default 10000
        The base of the frequencies (rope_theta), > 1.
    scaling : Scaling, optional
        The method of context extension; None is plain RoPE.
    rotary_dim : int, optional
        How many elements of a head turn, from `rotary_start` on; even. None: all that follow.
    interleaved : bool, default False
        False: pairs (i, i + rotary_dim / 2), as Llama in transformers and GPT-NeoX. True: pairs (2i, 2i+1), as
        GPT-J, Meta's Llama and DeepSeek's checkpoints.
    sections : sequence of int, optional
        Vision-language models: how many pairs turn by each of a token's positions (time, height, width); the sum
        is rotary_dim / 2. Positions then have one more leading axis; a count is the same for every section.
    section_order : "contiguous", "interleaved", "time_last", "grouped", "axial" or "axial_interleaved"
        Over one series of frequencies: sections one after the other (Qwen2-VL), dealt out in turn (Qwen3-VL), or all but
        the first dealt out in turn and then the first (ERNIE 4.5 VL: height and width by turns, time last). "grouped": dealt
        out in turn, and then the pairs of each section put together (Pixtral). "axial": one after the other, each with a
        series of its own, as image and video models have it: the scaling is then applied to each. "axial_interleaved": those
        dealt out in turn (Kimi K2.5's pictures).
    rotary_start : int, default 0
        Which element of a head is the first that turns. What is before and behind passes through bit for bit, and in
        place is not touched: DeepSeek-V4's heads, or MLA's whole query, turn at their end.
    reversed : bool, default False
        Turn by minus the position, as nanochat does: (x2, -x1) where others have (-x2, x1).
    query_scale : QueryScale, optional
        What multiplies whole heads of q, and never k, by their position: LogSteps (Ministral 3, Mistral 4) or LogN. Not
        with sections.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, what was given and what is accepted.
    """

    head_dim: int
    base: float
    scaling: Scaling | None
    rotary_dim: int
    interleaved: bool
    sections: tuple[int, ...] | None
    section_order: SectionOrder
    rotary_start: int
    reversed: bool
    query_scale: QueryScale | None
    _resolution: Resolution = field(init=False, repr=False, compare=False)
    _short_cut: Any = field(init=False, repr=False, compare=False)
    _name: str = field(init=False, repr=False, compare=False)
    _letters_at: Callable[[str, int], str] = field(init=False, repr=False, compare=False)

    def __init__(
        self,
        head_dim: int,
        base: float = 10_000.0,
        scaling: Scaling | None = None,
        rotary_dim: int | None = None,
        interleaved: bool = False,
        sections: Sequence[int] | None = None,
        section_order: SectionOrder = "contiguous",
        rotary_start: int = 0,
        reversed: bool = False,
        query_scale: QueryScale | None = None,
    ) -> None:
        def put(name: str, value: Any) -> Any:
            object.__setattr__(self, name, value)
            return value

        dim = put("head_dim", _even("head_dim", head_dim))
        start = put("rotary_start", integer("rotary_start", rotary_start))
        if not 0 <= start < dim:
            raise ValueError(f"rotary_start is {start}; an integer >= 0 and < head_dim = {dim} is expected")
        turning = put("rotary_dim", _even("rotary_dim", dim - start if rotary_dim is None else rotary_dim))
        if start + turning > dim:
            most = f"head_dim = {dim}" if not start else f"head_dim - rotary_start = {dim - start}"
            raise ValueError(f"rotary_dim is {turning}; at most {most} is expected")
        put("base", real_number("base", base, above=1))
        put("interleaved", boolean("interleaved", interleaved))
        put("reversed", boolean("reversed", reversed))
        if scaling is not None and not isinstance(scaling, Scaling):
            raise TypeError(f"scaling is {scaling!r}; None or a scaling such as YaRN(...) is expected")
        put("scaling", scaling)
        counts = None if sections is None else checked_sections(sections, turning // 2)
        put("sections", counts)
        put("section_order", checked_order(section_order, counts))
        put("query_scale", checked_query_scale(query_scale, counts))
        lengths = series_of(counts, section_order, turning // 2)
        if scaling is not None:
            for pairs in lengths:
                scaling.check_pairs(pairs)
        section = None if counts is None else section_of_pairs(counts, section_order)
        letters = "" if section is None else letters_of_sections(section)
        count = 1 if counts is None else len(counts)
        layout = Layout(dim, interleaved, section, count, letters, start, reversed, query_scale)
        series = tuple(Series.of(self.base, pairs, scaling) for pairs in lengths)
        places = places_in_series(counts, section_order)
        resolution = put("_resolution", Resolution(scaling, series, places, layout, lambda: repr(self)))
        # torch.compile guards the name, not whose the function is: ropes of one name compute the same.
        put("_name", repr(self))
        put("_letters_at", constant_in_a_trace(lambda name, length: _letters(self, length)))
        put("_short_cut", False if resolution.needs_length else resolution.original._short_cut)

    # Resolving

    def at(self, length: Any = None, xp: Namespace | None = None) -> Rotation:
        """The Rotation for a sequence of `length` tokens.

        Parameters
        ----------
        length : int, sequence or array of int, optional
            The largest position of the whole sequence + 1, in tokens. None: the original length. An array gives the
            Rotation leading axes: one set of numbers for each length. Traced arrays are allowed.
        xp : array namespace, optional
            Where the formulas are evaluated and the numbers live; None: NumPy, or the framework of a traced length.

        Returns
        -------
        Rotation

        Raises
        ------
        TypeError, ValueError
            Where length is no whole number of tokens >= 1.
        """
        lengths = checked_length(length)
        if xp is not None and of_namespace(xp := checked_namespace(xp)).name != "numpy":
            return self._resolution.in_namespace(lengths, xp)
        if lengths is None or not self._resolution.needs_length:
            return self._resolution.original
        if is_array(lengths) and of(lengths).is_traced(lengths):
            return self._resolution.at_traced(lengths)
        if not isinstance(lengths, int):
            return self._resolution.at_lengths(lengths)
        if dynamo_traces():
            letters, layout = self._letters_at(self._name, lengths), self._resolution.original._record
            return assembled(of_letters(letters, layout, lambda: f"{self._name}.at({lengths})"))
        return self._resolution.at_length(lengths)

    def _record_for(self, length: Any, like: Any) -> RotationRecord:
        length = of(like).symbol_as_array("length", length, like, least=1)
        if length is None and self._resolution.needs_length:
            raise TypeError(
                f"length is required: {type(self.scaling).__name__} looks at it. It is the largest position of the whole "
                "sequence + 1, cached and new; it is never inferred from positions"
            )
        return self.at(length)._record

    def of_slice(self) -> "Rope":
        """The Rope of the slice that turns, for code that cuts the head before it rotates: Phi, GPT-J, MLA's slice.

        Returns
        -------
        Rope
            Its head_dim is rotary_dim; the numbers are the same. A query scale reaches what it is given: the rest of a query
            is multiplied by query_scale.at(positions).
        """
        return replace(self, head_dim=self.rotary_dim, rotary_start=0)

    def in_halves(self) -> "Rope":
        """The Rope of the same numbers over pairs (i, i + rotary_dim / 2).

        For keys that a model with interleaved pairs stores as halves, as transformers does for DeepSeek: it de-interleaves
        q and k and then turns halves, so that its cached keys are re-rotated in this layout. Nothing tells the layouts of
        stored keys apart.

        Returns
        -------
        Rope
            With interleaved=False.
        """
        return replace(self, interleaved=False)

    # Rotating

    @tries_short_cut(in_place=False)
    def rotate(
        self,
        q: Array,
        k: Array | None,
        positions: Any = REQUIRED,
        *,
        heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
        length: Any = None,
        query: bool | None = None,
        out: Any = None,
        backend: str | None = None,
    ) -> Any:
        """Rotate q and k by their positions; the attention factor is applied.

        Parameters
        ----------
        q, k : array, shape (..., head_dim)
            float64, float32, bfloat16 or float16, of one framework, any strides. They may differ in their number of
            heads. k may be None: one array in, one array out.
        positions : None, int, or array of int or float
            In tokens. None: 0, 1, 2, ... along the last token axis; an int: the offset of that count; an array
            broadcasts against the token axes (one position for all tokens has shape (1,)). Negative positions turn
            backwards. Fractions are allowed.
        heads_axis : int or None, keyword-only
            -2: (batch, seq, heads, dim) or packed (tokens, heads, dim); -3: (batch, heads, seq, dim); None: no axis
            of heads. Must be given for 4 or more axes when positions is None or an int.
        length : int, or integers that broadcast as positions do, keyword-only
            The largest position of the whole sequence + 1, for scalings that look at it.
        query : bool, keyword-only
            Whether what is given are queries, which a query scale multiplies. None: q is one and k is not; without k it
            must be given then. Ropes without a query scale do not look at it.
        out : array or pair of arrays, keyword-only
            Where the results go; may be q and k themselves, must not overlap them partly.
        backend : "native", "cupy" or "generic", keyword-only
            Insist on one.

        Returns
        -------
        array, or pair of arrays
            Of the same framework, dtype, shape and order of strides.

        Raises
        ------
        TypeError, ValueError
            Naming the argument, what was given and what is accepted; nothing has been written then.
        BackendUnavailable
            Where the backend insisted upon cannot do it.
        """
        record = self._record_for(length, q)
        return run(record, q, k, positions, heads_axis=heads_axis, query=query, out=out, backend=backend)

    @tries_short_cut(in_place=True)
    def rotate_(
        self,
        q: Array,
        k: Array | None,
        positions: Any = REQUIRED,
        *,
        heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
        length: Any = None,
        query: bool | None = None,
        backend: str | None = None,
    ) -> Any:
        """Rotate q and k in place; returns the arrays it was given. Parameters as for rotate.

        Raises
        ------
        ValueError
            Also for read-only or overlapping memory, and for tensors whose gradient would be wrong. Nothing has been
            written then.
        """
        record = self._record_for(length, q)
        return run(record, q, k, positions, heads_axis=heads_axis, query=query, in_place=True, backend=backend)

    def prepare(self, positions: Any, *, length: Any = None) -> Prepared:
        """The rotation at positions that many calls share, such as those of all layers of a model in one forward.

        Lengths and rows of cos and sin are resolved once: `prepared.rotate(q, k, heads_axis=-3)` in each layer gives the
        bits of `rope.rotate(q, k, positions, length=length, heads_axis=-3)`.

        Parameters
        ----------
        positions : array or sequence of int or float, shape (..., tokens)
            In tokens; broadcast against the token axes of what is rotated. Copied: later changes are not seen.
        length : as for rotate

        Returns
        -------
        Prepared

        Raises
        ------
        TypeError
            Also where positions is a count: there is no tensor to count along.
        ValueError

        Examples
        --------
        >>> import numpy as np
        >>> rope = Rope(64)
        >>> at = rope.prepare(np.arange(10))
        >>> x = np.ones((10, 2, 64), dtype=np.float32)
        >>> bool((at.rotate(x, None) == rope.rotate(x, None, np.arange(10))).all())
        True
        """
        return Prepared(self._record_for(length, positions), positions)

    def cos_sin(self, positions: Any, *, length: Any = None, dtype: Any = None) -> tuple[Array, Array]:
        """cos and sin of the phases, attention factor included and no query scale, for code that needs the arrays.

        Parameters
        ----------
        positions : int, sequence or array of int or float, shape (...)
            In tokens.
        length : as for rotate
        dtype : dtype of the positions' framework, optional
            float64, float32, bfloat16 or float16; None: the framework's default.

        Returns
        -------
        cos, sin : arrays, shape (..., rotary_dim / 2)
        """
        return cos_sin(self._record_for(length, positions), positions, dtype)

    @property
    def inverse_frequencies(self) -> Array:
        """Radians per token at the original length, shape (rotary_dim / 2,), float64, read-only."""
        return self.at().inverse_frequencies

    def __repr__(self) -> str:
        return as_call(self, rotary_dim=self.head_dim - self.rotary_start)

    def __reduce__(self) -> tuple[Any, ...]:
        return Rope, (
            self.head_dim, self.base, self.scaling, self.rotary_dim, self.interleaved, self.sections, self.section_order,
            self.rotary_start, self.reversed, self.query_scale,
        )  # fmt: skip


def _letters(rope: Rope, length: int) -> str:
    rotation = rope._resolution.at_length(length)
    return in_letters(rotation._record, rotation._softmax, rotation._continuous)


def checked_query_scale(scale: Any, sections: tuple[int, ...] | None) -> QueryScale | None:
    """A query scale that goes with the sections, or None."""
    if scale is None:
        return None
    if not isinstance(scale, QueryScale):
        raise TypeError(f"query_scale is {scale!r}; None, LogSteps(...) or LogN(...) is expected")
    if sections is not None:
        raise ValueError(
            f"query_scale is {scale!r} and sections is {sections}: a token has several positions there, and nothing says which "
            "scales its query"
        )
    return scale


def _even(name: str, value: Any) -> int:
    count = integer(name, value)
    if not 2 <= count <= _LARGEST_DIM or count % 2:
        raise ValueError(f"{name} is {value!r}; an even integer from 2 to {_LARGEST_DIM} is expected")
    return count
