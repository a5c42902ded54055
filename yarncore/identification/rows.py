"""At which positions the rows of a table turn, where the frequencies are known: for tables whose positions are wrong."""

from typing import Any

import numpy as np

from yarncore.identification.cos_sin import checked_positions, read_tables
from yarncore.identification.fit import Floats

_ROWS = 96
_FARTHEST = 8192
_AGREES = 1 - 1e-3


def wrong_rows(cos: Any, sin: Any, positions: Any, theta: Floats) -> str | None:
    """In words, which positions the rows of tables are those of; None where they are as given, or none that is found.

    Parameters
    ----------
    theta : float64 array, shape (pairs,)
        The frequencies that are expected.
    """
    tables = read_tables(cos, sin)
    given = checked_positions(positions, len(tables.cos))[:_ROWS]
    if tables.cos.shape[1] != len(theta):
        return None
    z = (tables.cos + 1j * tables.sin)[:_ROWS]
    turned = np.exp(-1j * np.arange(_FARTHEST)[:, None] * theta)
    agreement = (z / np.abs(z)) @ turned.T
    found = agreement.real.argmax(axis=1)
    if (agreement.real.max(axis=1) < _AGREES * len(theta)).any() or np.array_equal(found, given):
        return None
    at = int(np.flatnonzero(found != given)[0])
    shown = slice(max(at - 2, 0), at + 4)
    rows = f"rows {max(at - 2, 0)} to {min(at + 4, len(found)) - 1}"
    listed = [", ".join(f"{p:g}" for p in each[shown]) for each in (found, given)]
    return f"positions are wrong: {rows} are those of positions {listed[0]}, of {listed[1]} are expected"
