"""The extension module, or why there is none."""

import warnings
from typing import Any

from yarncore.errors import BackendUnavailable
from yarncore.frameworks.framework import Array
from yarncore.query_scale.query_scale import ScaleNumbers
from yarncore.request.tensors import element_type
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable

MISSING: str | None = None
"""Why the extension cannot be loaded, in words; None where it is."""

try:
    import yarncore._core as _core
except ImportError as error:
    _core = None  # type: ignore[assignment]
    MISSING = f"the extension yarncore._core cannot be loaded ({error}); run `pip install .`, or `-e .` to work in the sources"
    warnings.warn(
        f"{MISSING}. NumPy and torch CPU arrays are rotated by slow array operations", RuntimeWarning, stacklevel=2
    )


def available_extension() -> Any:
    """The extension module; None where it cannot be loaded."""
    return _core


def extension() -> Any:
    """The extension module.

    Raises
    ------
    BackendUnavailable
        Where it cannot be loaded.
    """
    if MISSING is not None:
        raise BackendUnavailable(MISSING)
    return _core


def type_or_shape_refusal(x: Array) -> str | None:
    """Why the extension, where there is one, cannot turn an array for its dtype or its number of axes."""
    if len(x.shape) > _core.max_axes:
        return f"it takes at most {_core.max_axes} axes"
    types: tuple[str, ...] = _core.element_types
    return None if element_type(x) in types else f"it turns {', '.join(types)}, not {x.dtype}"


def numbers_of(record: RotationRecord) -> ScaleNumbers | None:
    """The query scale of a rotation as the extension takes it."""
    return None if record.query_scale is None else record.query_scale.numbers


def native_turns(table: TurnsTable) -> Any:
    """The extension's copy of a table, made once; None where there is no extension."""
    if table.copies.native is None and _core is not None:
        table.copies.native = _core.Turns(table.words, table.factors_float64)
    return table.copies.native
