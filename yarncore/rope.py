"""Rope: a model's rotary embedding."""

import functools
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from yarncore.arguments import boolean, integer, one_of, real_number, token_count
from yarncore.backends.short_cut import tries_short_cut
from yarncore.namespaces import (
    Array,
    Namespace,
    checked_namespace,
    framework_of,
    is_array,
    is_integer_dtype,
    is_numpy_namespace,
    is_torch,
    is_traced,
    is_virtual,
    is_watched,
    namespace_of,
    symbol_as_array,
)
from yarncore.request import AUTOMATIC_HEADS_AXIS
from yarncore.rotating import REQUIRED, cos_sin, run
from yarncore.rotation import Rotation, of_arrays, of_numbers, of_rows
from yarncore.scaling.scaling import ScaledFrequencies, Scaling, as_call, real
from yarncore.sections import checked_sections, section_of_pairs
from yarncore.series import Series
from yarncore.turns import TurnsTable

_LARGEST_DIM = 2**16  # far beyond any head; a slip of the keyboard must not compute for hours


@dataclass(frozen=True, slots=True, repr=False)
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
        How many elements of a head turn, from the first on; even. None: all.
    interleaved : bool, default False
        False: pairs (i, i + rotary_dim / 2), as Llama in transformers and GPT-NeoX. True: pairs (2i, 2i+1), as
        GPT-J, Meta's Llama and DeepSeek's checkpoints.
    sections : sequence of int, optional
        Vision-language models: how many pairs turn by each of a token's positions (time, height, width); the sum
        is rotary_dim / 2. Positions then have one more leading axis; a count is the same for every section.
    section_order : "contiguous", "interleaved" or "axial"
        Sections one after the other (Qwen2-VL), or dealt out in turn (Qwen3-VL), in both cases over one series of
        frequencies; or one after the other, each with a series of its own, as image and video models have it: the
        scaling is then applied to each.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, what was given and what is accepted.
    """

    head_dim: int
    base: float = 10_000.0
    scaling: Scaling | None = None
    rotary_dim: int = None  # type: ignore[assignment]  # None is replaced by head_dim
    interleaved: bool = False
    sections: tuple[int, ...] | None = None
    section_order: Literal["contiguous", "interleaved", "axial"] = "contiguous"
    _series: tuple[Series, ...] = field(init=False, repr=False, compare=False, hash=False)
    _original: Rotation | None = field(init=False, repr=False, compare=False, hash=False)
    _steps: tuple[TurnsTable, tuple[float, ...]] | None = field(init=False, repr=False, compare=False, hash=False)
    _pair_section: npt.NDArray[np.uint8] | None = field(init=False, repr=False, compare=False, hash=False)
    _short_cut: Any = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("head_dim", _even("head_dim", self.head_dim))
        rotary_dim: Any = self.rotary_dim
        put("rotary_dim", self.head_dim if rotary_dim is None else _even("rotary_dim", rotary_dim))
        if self.rotary_dim > self.head_dim:
            raise ValueError(f"rotary_dim is {self.rotary_dim}; at most head_dim = {self.head_dim} is expected")
        put("base", real_number("base", self.base, above=1))
        put("interleaved", boolean("interleaved", self.interleaved))
        if self.scaling is not None and not isinstance(self.scaling, Scaling):
            raise TypeError(f"scaling is {self.scaling!r}; None or a scaling such as YaRN(...) is expected")
        one_of("section_order", self.section_order, ("contiguous", "interleaved", "axial"))
        if self.sections is not None:
            put("sections", checked_sections(self.sections, self.rotary_dim // 2))
        axial = self.section_order == "axial"
        if axial and self.sections is None:
            raise ValueError('section_order is "axial" and sections is None; the pairs of each axis are expected')
        lengths = self.sections if axial and self.sections else (self.rotary_dim // 2,)
        if self.scaling is not None:
            for pairs in lengths:
                self.scaling.check_pairs(pairs)
        put("_pair_section", None if self.sections is None else section_of_pairs(self.sections, self.section_order))
        # Resolved now, so that nothing has to be computed while a call is traced.
        put("_series", tuple(Series.of(self.base, pairs, self.scaling) for pairs in lengths))
        put("_original", self._resolve(None))
        put("_steps", self._resolve_steps())
        needs_length = self.scaling is not None and self.scaling.needs_length
        put("_short_cut", False if needs_length or self._original is None else self._original._short_cut)

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
        if xp is not None and not is_numpy_namespace(xp := checked_namespace(xp)):
            return self._resolve_in(self._checked_length(length), xp)
        lengths = self._checked_length(length)
        if lengths is None or self.scaling is None or not self.scaling.needs_length:
            assert self._original is not None
            return self._original
        if is_array(lengths) and is_traced(lengths):
            return self._by_steps(lengths) if self._steps else self._resolve_in(lengths, namespace_of(lengths))
        if isinstance(lengths, int):
            return _resolved(self, lengths)
        return self._resolve(lengths)

    def _layout(self) -> dict[str, Any]:
        return {
            "head_dim": self.head_dim,
            "interleaved": self.interleaved,
            "pair_section": self._pair_section,
            "sections": 1 if self.sections is None else len(self.sections),
        }

    def _scaled(self, length: Any, xp: Namespace) -> ScaledFrequencies:
        if self.scaling is None:
            parts = [real(xp, series.unscaled) for series in self._series]
            one = xp.ones_like(parts[0][0])
            return ScaledFrequencies(xp.concat(parts) if len(parts) > 1 else parts[0], one, one)
        scaled = [self.scaling.at(series.unscaled, length, xp, series.prepared) for series in self._series]
        if len(scaled) == 1:
            return scaled[0]
        return ScaledFrequencies(xp.concat([part[0] for part in scaled], axis=-1), *scaled[0][1:])

    def _resolve(self, length: int | npt.NDArray[Any] | None) -> Rotation:
        """A concrete Rotation, computed in NumPy."""
        rows = None
        if isinstance(length, np.ndarray):
            unique, rows = np.unique(length, return_inverse=True)
            rows = rows.reshape(length.shape)
            length = unique if unique.size else np.ones(1, dtype=np.int64)
        theta, attention, softmax = self._scaled(length, np)
        theta = np.atleast_2d(theta)
        attention, softmax = (np.broadcast_to(value, theta.shape[:1]) for value in (attention, softmax))
        text = f"{self!r}.at({length if rows is None else unique[rows].tolist()})"
        continuous = self._is_continuous
        return of_numbers(theta, attention, softmax, rows, **self._layout(), text=lambda: text, continuous=continuous)

    @property
    def _is_continuous(self) -> bool:
        return self.scaling is not None and self.scaling.needs_length and self.scaling.step_lengths() is None

    def _resolve_steps(self) -> tuple[TurnsTable, tuple[float, ...]] | None:
        """The table of all steps of a scaling that changes in steps."""
        lengths = None if self.scaling is None else self.scaling.step_lengths()
        if lengths is None:
            return None
        rotations = [self._resolve(length) for length in lengths]
        tables = [turns for rotation in rotations if isinstance(turns := rotation._turning.turns, TurnsTable)]
        table = TurnsTable(np.concatenate([t.words for t in tables]), tuple(t.factors[0] for t in tables))
        return table, tuple(float(rotation.softmax_scale_factor) for rotation in rotations)

    def _by_steps(self, lengths: Array) -> Rotation:
        """The row of the table for each length, chosen without reading the lengths."""
        assert self.scaling is not None
        assert self._steps is not None
        last_lengths = (self.scaling.step_lengths() or ())[:-1]
        if is_torch(lengths) and not (is_virtual(lengths) or is_watched()):
            # One launch on a device, and a captured graph can hold it.
            from yarncore.backends.torch_device import rank_among

            rows = rank_among(last_lengths, lengths, self._steps[0].on_devices)
            return of_rows(*self._steps, rows, **self._layout())
        xp = namespace_of(lengths)
        rows = xp.zeros_like(lengths, dtype=xp.int32)
        for last in last_lengths:
            if last < xp.iinfo(lengths.dtype).max:  # else no length of this dtype is beyond it
                rows = rows + xp.astype(lengths > last, xp.int32)
        return of_rows(*self._steps, rows, **self._layout())

    def _resolve_in(self, length: Any, xp: Namespace) -> Rotation:
        """A Rotation whose numbers are arrays of `xp`, as exact as its widest float."""
        theta, attention, softmax = self._scaled(length, xp)
        return of_arrays(theta, attention, softmax, **self._layout())

    def _checked_length(self, length: Any) -> Any:
        """None, an int, or an array of int: NumPy's where it can be read, else the caller's."""
        if length is None:
            return None
        if is_array(length) and is_traced(length):
            if not is_integer_dtype(length):
                raise TypeError(f"length has dtype {length.dtype}; integers are expected")
            return length
        if is_torch(length):
            length = length.detach().numpy()
        elif is_array(length) and framework_of(length) == "jax":
            length = np.asarray(length)
        if isinstance(length, (list, tuple)) or (is_array(length) and length.shape != ()):
            array = np.asarray(length)
            if array.size and array.dtype.kind not in "iuf":
                raise TypeError(f"length has dtype {array.dtype}; integers are expected")
            for value in np.unique(array):
                token_count("length", value)
            return array.astype(np.int64)
        return token_count("length", length if not is_array(length) else length[()])

    def _turning_for(self, length: Any, like: Any) -> Any:
        length = symbol_as_array(length, like)
        if length is None and self.scaling is not None and self.scaling.needs_length:
            raise TypeError(
                f"length is required: {type(self.scaling).__name__} looks at it. It is the largest position of the whole "
                "sequence + 1, cached and new; it is never inferred from positions"
            )
        return self.at(length)._turning

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
        turning = self._turning_for(length, q)
        return run(turning, q, k, positions, heads_axis=heads_axis, out=out, backend=backend)

    @tries_short_cut(in_place=True)
    def rotate_(
        self,
        q: Array,
        k: Array | None,
        positions: Any = REQUIRED,
        *,
        heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
        length: Any = None,
        backend: str | None = None,
    ) -> Any:
        """Rotate q and k in place; returns the arrays it was given. Parameters as for rotate.

        Raises
        ------
        ValueError
            Also for read-only or overlapping memory, and for tensors whose gradient would be wrong. Nothing has been
            written then.
        """
        turning = self._turning_for(length, q)
        return run(turning, q, k, positions, heads_axis=heads_axis, in_place=True, backend=backend)

    def cos_sin(self, positions: Any, *, length: Any = None, dtype: Any = None) -> tuple[Array, Array]:
        """cos and sin of the phases, attention factor included, for code that needs the arrays.

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
        return cos_sin(self._turning_for(length, positions), positions, dtype)

    @property
    def inverse_frequencies(self) -> Array:
        """Radians per token at the original length, shape (rotary_dim / 2,), float64, read-only."""
        return self.at().inverse_frequencies

    def __repr__(self) -> str:
        return as_call(self, rotary_dim=self.head_dim)

    def __reduce__(self) -> tuple[Any, ...]:
        return Rope, (
            self.head_dim, self.base, self.scaling, self.rotary_dim, self.interleaved, self.sections, self.section_order,
        )  # fmt: skip


@functools.lru_cache(maxsize=256)
def _resolved(rope: Rope, length: int) -> Rotation:
    return rope._resolve(length)


def _even(name: str, value: Any) -> int:
    count = integer(name, value)
    if not 2 <= count <= _LARGEST_DIM or count % 2:
        raise ValueError(f"{name} is {value!r}; an even integer from 2 to {_LARGEST_DIM} is expected")
    return count
