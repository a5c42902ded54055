"""The steps of a scaling that changes in steps: every Rotation that it has, made once; a length only chooses."""

import bisect
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import of
from yarncore.rotation.numbers import of_rows
from yarncore.rotation.rotation import Rotation, assembled
from yarncore.turns.table import TurnsTable


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """All steps of a Rope.

    Attributes
    ----------
    last_lengths : tuple of int
        The last length of each step but the last, which has none.
    rotations : tuple of Rotation
        That of each step.
    table : TurnsTable
        A row for each step.
    softmax : tuple of float
    """

    last_lengths: tuple[int, ...]
    rotations: tuple[Rotation, ...]
    table: TurnsTable
    softmax: tuple[float, ...]
    _sorted: npt.NDArray[np.int64]

    @classmethod
    def of(cls, lengths: tuple[int, ...], rotations: list[Rotation]) -> "Steps":
        """The steps that end at `lengths`, of which the last is one beyond them all."""
        tables = [turns for rotation in rotations if isinstance(turns := rotation._record.turns, TurnsTable)]
        table = TurnsTable(np.concatenate([t.words for t in tables]), tuple(t.factors[0] for t in tables))
        softmax = tuple(float(rotation.softmax_scale_factor) for rotation in rotations)
        return cls(lengths[:-1], tuple(rotations), table, softmax, np.array(lengths[:-1], dtype=np.int64))

    def at_length(self, length: int) -> Rotation:
        """The Rotation of the step that a length belongs to: for all of its lengths the same object."""
        return self.rotations[bisect.bisect_left(self.last_lengths, length)]

    def at_lengths(self, lengths: npt.NDArray[np.int64], text: Any) -> Rotation:
        """A Rotation with the row of the table for each length; lengths on the host."""
        rows = self._sorted.searchsorted(lengths).astype(np.int32)
        rows.flags.writeable = False
        return assembled(of_rows(self.table, self.softmax, rows, self.rotations[0]._record, text))

    def at_traced(self, lengths: Array) -> Rotation:
        """The same for lengths that are not read."""
        rows = of(lengths).rank_among(self.last_lengths, lengths, self.table.copies.steps)

        def text() -> str:  # when it is asked for: TorchScript's tracer has tensors for extents
            return f"<Rotation by a traced index of shape {tuple(rows.shape)}>"

        return assembled(of_rows(self.table, self.softmax, rows, self.rotations[0]._record, text))
