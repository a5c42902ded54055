"""Tables of cos and sin -> Identification."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from yarncore.engines.tables import round_to
from yarncore.identification.amplitude import EXACT
from yarncore.identification.fit import Floats
from yarncore.identification.frequencies import of_frequencies
from yarncore.identification.identified import Identification
from yarncore.identification.measured import measure, shifted_by
from yarncore.identification.phases import phase_of
from yarncore.identification.stored import as_float64, stored_type

# What a cosine of these types was rounded by; float32's were made of float32 angles and multiplied by m.
NOISE = {"bfloat16": 2.0**-8, "float16": 2.0**-10, "float32": 2.0**-22, "float64": 2.0**-40}
MOST_PAIRS = 2048  # of a head with 4096 elements; what ramps are tried takes memory by its square
_TABLE = "(positions, pairs) or (positions, 2 * pairs)"


class Tables(NamedTuple):
    """cos and sin, one number a pair, shape (positions, pairs)."""

    cos: Floats
    sin: Floats
    layout: str


def of_tables(cos: Any, sin: Any, positions: Any = None, **seen: Any) -> Identification:
    """What tables of cos and sin are; positions None: 0, 1, 2, ...

    Raises
    ------
    TypeError, ValueError
        Where they are no tables of rotations.
    """
    tables = read_tables(cos, sin)
    at = checked_positions(positions, len(tables.cos))
    stored = seen.pop("stored", None) or stored_type(np.concatenate([tables.cos, tables.sin]))
    z = tables.cos + 1j * tables.sin
    measured = measure(z, at, NOISE[stored], stored)
    shift = shifted_by(z, at, NOISE[stored], measured.theta)
    if shift:
        at = at + shift
        measured = measure(z, at, NOISE[stored], stored)
    theta, still = measured.theta, np.abs(tables.sin).max(axis=0) == 0
    theta = np.where(still, 0.0, theta)
    backwards = bool((theta <= 0).all() and (theta < 0).any())
    signed = -theta if backwards else theta
    factor = _factor(measured.factor, stored)
    notes = list(seen.pop("notes", ()))
    if (np.abs(z[at == 0].real) <= 1e-6).all() and (at == 0).any():
        notes.append("cos is 0 at position 0, as sin should be: are they exchanged?")
    seen = {"layout": tables.layout, "backwards": backwards, "stored": stored, "notes": notes} | seen
    found = of_frequencies(signed, measured.tolerance, factor, max(EXACT, NOISE[stored]), **seen)
    if not found.readings:
        found = _of_rounded(signed, measured.tolerance, factor, seen) or found
    phase = phase_of(z.conj() if backwards else z, at, signed, found.rope)
    inexact = phase.name not in (None, "exact") or phase.position_type in ("bfloat16", "float16")
    error = phase.error if inexact else None
    return replace(
        found, phase=phase.name, position_type=phase.position_type, angle_error=error,
        measured_to=tuple(measured.rounding.tolist()), position_shift=shift,
    )  # fmt: skip


def _of_rounded(theta: Floats, tolerance: Floats, factor: float, seen: dict[str, Any]) -> Identification | None:
    """Frequencies that were rounded to 16 bits before the angles were made, as where a model was cast; None where they were not."""
    turning = theta > 0
    for name in ("bfloat16", "float16"):
        rounded = np.asarray(round_to(name, theta), dtype=np.float64)
        if (np.abs(rounded[turning] / theta[turning] - 1) <= tolerance[turning]).all():
            found = of_frequencies(rounded, None, factor, **seen)
            return found if found.readings else None
    return None


def _factor(measured: float, stored: str) -> float:
    """The amplitude, where it is 1 but for rounding: 1."""
    return 1.0 if abs(measured - 1) <= NOISE[stored] else measured


def read_tables(cos: Any, sin: Any) -> Tables:
    """Both as one number a pair, and how they were laid out."""
    tables = [as_float64(name, table) for name, table in (("cos", cos), ("sin", sin))]
    if tables[0].shape != tables[1].shape:
        raise ValueError(f"cos has shape {tables[0].shape} and sin {tables[1].shape}; the same is expected")
    tables = [
        table.reshape(-1, table.shape[-1]) if table.ndim > 2 and table.shape[0] == 1 else table for table in tables
    ]
    if tables[0].ndim != 2 or 0 in tables[0].shape:
        raise ValueError(f"cos has shape {tables[0].shape}; {_TABLE} is expected")
    layout, part = _layout(tables)
    pairs = len(range(tables[0].shape[1])[part])
    if pairs > MOST_PAIRS:
        raise ValueError(f"cos has {pairs} pairs; up to {MOST_PAIRS} are expected of a head")
    return Tables(tables[0][:, part], tables[1][:, part], layout)


def _layout(tables: list[Floats]) -> tuple[str, slice]:
    width = tables[0].shape[1]
    half = width // 2
    if width % 2 == 0:
        if all(np.array_equal(table[:, :half], table[:, half:]) for table in tables):
            return "repeated", slice(0, half)
        if all(np.array_equal(table[:, 0::2], table[:, 1::2]) for table in tables):
            return "pairs", slice(0, None, 2)
    return "half", slice(None)


def checked_positions(positions: Any, count: int) -> Floats:
    """One for each row."""
    if positions is None:
        return np.arange(count, dtype=np.float64)
    at = as_float64("positions", positions).reshape(-1)
    if len(at) != count:
        raise ValueError(f"positions has {len(at)} entries and the tables {count} rows; as many are expected")
    if len(np.unique(at)) != len(at):
        raise ValueError("positions has entries twice; each once is expected")
    return at
