"""What was found out about a table: for people, and for machines."""

from dataclasses import dataclass, field
from typing import Any

from yarncore.identification.readings import Reading
from yarncore.rope.rope import Rope


@dataclass(frozen=True, slots=True)
class Identification:
    """What something rotates by.

    Attributes
    ----------
    method : str
        The name of the scaling of the first reading, "plain", or "none" where nothing known has these numbers.
    readings : tuple of Reading
        Everything that has these numbers; standard values come first.
    nearest : Reading or None
        Of an unknown table: what comes nearest, with its error. It is no reading of the table.
    inverse_frequencies : tuple of float
        Radians per token, as given or measured.
    measured_to : tuple of float or None
        How well the type of tables, or of a function's results, lets each be known, radians per token; None where they were given.
    attention_factor : float or None
        The amplitude of cos and sin; None where only frequencies were given, which do not tell.
    layout : str or None
        Of tables "half", "repeated" or "pairs", as rotate_by has it.
    interleaved : bool or None
        Of functions: pairs (2i, 2i+1).
    backwards : bool
        It turns by minus the position.
    phase : str or None
        Of tables: "exact", "float32-product" or "float32-recurrence"; None where it cannot be seen.
    position_type : str or None
        Of tables: "float32", or "bfloat16" or "float16" where positions were rounded to that.
    angle_error : float or None
        Of tables whose angles are not exact: by how many radians the worst is off.
    frequency_type : str or None
        "bfloat16" or "float16" where the frequencies were rounded to that before angles were made of them.
    position_shift : int
        Of tables and functions: rows are those of so many tokens later than the positions that were given.
    same_for_k : bool
        Of functions: k is rotated as q is.
    of_k : str
        How k is not, in words.
    rotary_start : int or None
        Of functions: the first element that turns.
    scales_queries : bool
        Of functions: q is multiplied by its position beside its rotation, which is told without that.
    reordered : bool
        Of functions: results are in another order than what was given.
    stored : str
        The type that holds all numbers: float64, float32, bfloat16 or float16.
    notes : tuple of str
    """

    method: str
    readings: tuple[Reading, ...]
    nearest: Reading | None
    inverse_frequencies: tuple[float, ...]
    attention_factor: float | None = None
    layout: str | None = None
    interleaved: bool | None = None
    backwards: bool = False
    phase: str | None = None
    position_type: str | None = None
    angle_error: float | None = None
    frequency_type: str | None = None
    position_shift: int = 0
    same_for_k: bool = True
    of_k: str = ""
    rotary_start: int | None = None
    scales_queries: bool = False
    reordered: bool = False
    stored: str = "float32"
    measured_to: tuple[float, ...] | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def roundings(self) -> tuple[str, ...]:
        """What was rounded to 16 bits on the way, in words."""
        said = []
        if self.frequency_type is not None:
            said.append(
                f"the frequencies were rounded to {self.frequency_type}: angles are off by as much of themselves as these"
            )
        if self.position_type in ("bfloat16", "float16"):
            said.append(
                f"positions were rounded to {self.position_type}: an angle is off by up to {self.angle_error:.3g} radians"
            )
        return tuple(said)

    @property
    def shift_in_words(self) -> str:
        """Where rows are those of other positions; empty where they are not."""
        if not self.position_shift:
            return ""
        return f"it turns by position p {'+' if self.position_shift > 0 else '-'} {abs(self.position_shift)} where p is given"

    @property
    def phase_in_words(self) -> str:
        """How inexact angles were made; empty for exact ones, and where it cannot be seen."""
        if self.phase not in ("float32-product", "float32-recurrence") or self.position_type in ("bfloat16", "float16"):
            return ""
        return f"angles are off by up to {self.angle_error:.2g} radians from exact ones at these positions"

    @property
    def rope(self) -> Rope | None:
        """That of the first reading, or None."""
        return self.readings[0].rope if self.readings else None

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """It in words."""
        if self.readings:
            first, *others = self.readings
            lines = [str(first), f"  reproduces {len(self.inverse_frequencies)} frequencies to {first.error:.1e}"]
            lines += [f"  the same: {other}" for other in others]
        else:
            lines = ["none: no known method has these frequencies"]
            if self.nearest is not None:
                lines.append(f"  nearest: {self.nearest}, off by up to {self.nearest.error:.2g} of a frequency")
        for name, value in self._seen():
            lines.append(f"  {name}: {value}")
        said = [*self.notes, *self.roundings, *filter(None, [self.phase_in_words, self.shift_in_words])]
        if not self.same_for_k:
            said.append(f"k is rotated otherwise than q: {self.of_k}; what is said is of q")
        return lines + [f"  note: {note}" for note in said]

    def _seen(self) -> list[tuple[str, str]]:
        pairs = {True: "(2i, 2i+1)", False: "(i, i + half)", None: ""}[self.interleaved]
        values = (
            ("attention factor", "" if self.attention_factor is None else f"{self.attention_factor:.7g}"),
            ("layout", self.layout), ("pairs", pairs), ("direction", "backwards" if self.backwards else ""),
            ("phase", self.phase), ("positions", self.position_type), ("stored as", self.stored),
        )  # fmt: skip
        return [(name, value) for name, value in values if value]

    def as_dict(self) -> dict[str, Any]:
        """For machines."""

        def told(reading: Reading) -> dict[str, Any]:
            rope = None if reading.rope is None else repr(reading.rope)
            return {"method": reading.method, "rope": rope, "error": reading.error, "note": reading.note}

        return {
            "method": self.method,
            "readings": [told(reading) for reading in self.readings],
            "nearest": None if self.nearest is None else told(self.nearest),
            "attention_factor": self.attention_factor,
            "layout": self.layout,
            "interleaved": self.interleaved,
            "backwards": self.backwards,
            "phase": self.phase,
            "position_type": self.position_type,
            "angle_error": self.angle_error,
            "frequency_type": self.frequency_type,
            "position_shift": self.position_shift,
            "same_for_k": self.same_for_k,
            "of_k": self.of_k,
            "rotary_start": self.rotary_start,
            "scales_queries": self.scales_queries,
            "reordered": self.reordered,
            "stored": self.stored,
            "pairs": len(self.inverse_frequencies),
            "notes": list(self.notes),
        }
