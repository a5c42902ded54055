"""Which type holds all numbers of a table: models are cast, and their frequencies with them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore.engines.tables import round_to
from yarncore.frameworks.known import is_array, of

Floats = npt.NDArray[np.float64]
TYPES = ("bfloat16", "float16", "float32", "float64")
# Half a step of each, relative.
HALF_STEPS = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-24, "float64": 2.0**-53}
SMALLEST_OF_FLOAT16 = 2.0**-25  # half a step, where it has no exponent left


def as_float64(name: str, value: Any) -> Floats:
    """Real numbers of any framework, on the host.

    Raises
    ------
    TypeError, ValueError
        Where they are none, or not finite.
    """
    try:
        array = np.asarray(of(value).on_host(widened(value)) if is_array(value) else value)
    except NotImplementedError:  # of torch, for tensors without numbers and for sparse ones
        raise TypeError(
            f"{name} is a tensor on {value.device}, {value.layout}; a dense one with numbers is expected"
        ) from None
    except ValueError as error:
        raise ValueError(f"{name} makes no array: {error}") from None
    if array.dtype.kind not in "fiu" and array.dtype.name not in ("bfloat16", "float16"):
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are expected")
    wide = array.astype(np.float64)
    if not np.isfinite(wide).all():
        raise ValueError(f"{name} has entries that are not finite")
    return wide


def widened(value: Any) -> Any:
    """A torch tensor of bfloat16, which NumPy has not, as float32; others as they are."""
    if type(value).__module__.partition(".")[0] == "torch":
        value = value.detach()
        return value.float() if str(value.dtype) == "torch.bfloat16" else value
    return value


def stored_type(values: Floats) -> str:
    """The narrowest type that holds all values."""
    for name in TYPES[:2]:
        if (round_to(name, values) == values).all():
            return name
    return "float32" if (round_to("float32", values) == values).all() else "float64"


def tolerance_of(stored: str, values: Floats) -> Floats:
    """What a rounding to this type may have changed a value by, relative."""
    tolerance = np.full(values.shape, 1.01 * HALF_STEPS[stored])
    return np.maximum(tolerance, 1.01 * SMALLEST_OF_FLOAT16 / np.abs(values)) if stored == "float16" else tolerance
