"""Which arrays can be rotated: their types, and what each wrong one is told."""

from typing import Any

import numpy as np

from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, of

ROTATABLE = ("float64", "float32", "bfloat16", "float16")
_ARRAYS = "an array of NumPy, torch, JAX, CuPy, Dask or any array-API framework"
_ELEMENTS = f"{', '.join(ROTATABLE[:-1])} or {ROTATABLE[-1]}"


def element_type(x: Array) -> str | None:
    """The name of its dtype, one of ROTATABLE; None for any other."""
    name = of(x).dtype_name(x)
    return name if name in ROTATABLE else None


def check_array(name: str, x: Any) -> None:
    """Raise TypeError unless `x` is an array that can be rotated."""
    if not is_array(x) or isinstance(x, np.generic):
        raise TypeError(f"{name} is {_short(x)} ({type(x).__name__}); {_ARRAYS} is expected")
    framework = of(x)
    framework.check(name, x)
    if framework.dtype_name(x) not in ROTATABLE:
        hint = "; cast it first" if framework.is_integer(x) else ""
        raise TypeError(f"{name} has dtype {x.dtype}; {_ELEMENTS} is expected{hint}")


def check_device(name: str, array: Any, q: Array) -> None:
    """Raise ValueError where an array that goes with `q` lives on another device, of a framework that moves nothing."""
    here, there = of(q).device(q), of(array).device(array)
    if there is not None and here is not None and there != here:
        raise ValueError(f"{name} is on {there} and q on {here}; the same device is expected")


def _short(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."
