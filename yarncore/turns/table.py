"""Rows of turns with their attention factors, known numbers."""

import sys
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.frameworks.tracers import constant_in_a_trace
from yarncore.turns.fixed_point import WORDS, integers_of, radians_of


@dataclass(slots=True)
class Copies:
    """Copies of a table that others need in a form of their own, each made when it is first needed.

    Attributes
    ----------
    native : the extension's, or None
    kernel : dict
        Device -> words and factors as a kernel reads them.
    generic : dict
        Device -> words and factors as tensors for array operations.
    steps : dict
        Device -> the last length of each step.
    """

    native: Any = None
    kernel: dict[Any, Any] = field(default_factory=dict)
    generic: dict[Any, Any] = field(default_factory=dict)
    steps: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class TurnsTable:
    """One or several rows of turns with their attention factors, on the host and immutable.

    Attributes
    ----------
    words : uint32 array, shape (rows, 5, pairs), read-only
    factors : tuple of Fraction
        Attention factor of each row, exact: a rotation and its inverse compose to exactly 1.
    copies : Copies
    text : str
        All of it in letters, which a traced graph can hold.
    """

    words: npt.NDArray[np.uint32]
    factors: tuple[Fraction, ...]
    words_int64: npt.NDArray[np.int64] = field(init=False)
    factors_float64: npt.NDArray[np.float64] = field(init=False)
    rows: int = field(init=False)
    pairs: int = field(init=False)
    text: str = field(init=False)
    copies: Copies = field(init=False, default_factory=Copies)

    def __post_init__(self) -> None:
        words = np.ascontiguousarray(self.words, dtype=np.uint32)
        object.__setattr__(self, "rows", int(words.shape[0]))
        object.__setattr__(self, "pairs", int(words.shape[2]))
        factors = " ".join(map(str, self.factors))
        object.__setattr__(self, "text", f"{factors}|{words.astype('<u4').tobytes().hex()}")
        arrays: dict[str, npt.NDArray[Any]] = {
            "words": words,
            "words_int64": words.astype(np.int64),
            "factors_float64": np.array([float(factor) for factor in self.factors]),
        }
        for name, array in arrays.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __reduce__(self) -> tuple[Any, ...]:
        return TurnsTable, (self.words, self.factors)

    @classmethod
    def of_text(cls, text: str) -> "TurnsTable":
        """The table that a text came from."""
        factors, words = text.split("|")
        fractions = tuple(map(Fraction, factors.split(" ")))
        return cls(np.frombuffer(bytes.fromhex(words), "<u4").reshape(len(fractions), WORDS, -1), fractions)

    @classmethod
    def in_a_trace(cls, text: str, rows: int, pairs: int) -> "TurnsTable":
        """The table of a text while torch.compile traces: its numbers are tensors, which a graph can hold."""
        table = cls.__new__(cls)
        tensors = {"words_int64": _words_int64(text), "factors_float64": _factors_float64(text)}
        for name, value in (*tensors.items(), ("rows", rows), ("pairs", pairs), ("text", text), ("copies", Copies())):
            object.__setattr__(table, name, value)
        return table

    def inverse_frequencies(self) -> npt.NDArray[np.float64]:
        """The float64 view of the turns, radians per token, shape (rows, pairs)."""
        return np.array([[radians_of(turns) for turns in integers_of(row)] for row in self.words])


@constant_in_a_trace
def _words_int64(text: str) -> Any:
    return sys.modules["torch"].from_numpy(TurnsTable.of_text(text).words_int64.copy())


@constant_in_a_trace
def _factors_float64(text: str) -> Any:
    return sys.modules["torch"].from_numpy(TurnsTable.of_text(text).factors_float64.copy())
