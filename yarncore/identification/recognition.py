"""identify: what does this rotate by?"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from yarncore._arguments import one_of, real_number
from yarncore.frameworks.known import is_array
from yarncore.identification.cos_sin import MOST_PAIRS, of_tables
from yarncore.identification.frequencies import of_divisors, of_frequencies
from yarncore.identification.functions import of_function
from yarncore.identification.identified import Identification
from yarncore.identification.stored import as_float64
from yarncore.rotation.rotation import Rotation

_WHAT = (
    "inverse frequencies, a pair of tables (cos, sin), a table with cos before sin in each row (vLLM's cos_sin_cache), a complex "
    "table, a function of (q, k, positions), or a module of torch"
)


def identify(
    x: Any,
    *,
    positions: Any = None,
    head_dim: int = 128,
    heads_axis: int = -2,
    like: Any = None,
    method: str | None = None,
    base: float = 10_000.0,
) -> Any:
    """What something rotates by: method, factor, base, ramp, temperature, layout, how its angles were made.

    The known families are fitted, and what is returned has been made anew by the Ropes that are named: they reproduce the
    frequencies to 1e-6 (as far as 16-bit numbers allow where they are such). An unknown table is "none", with the nearest.

    Parameters
    ----------
    x : array, pair of arrays, mapping, callable, Rotation or module
        Inverse frequencies of shape (pairs,), radians per token. Tables (cos, sin) of shape (positions, pairs) or (positions,
        2 * pairs), in whichever layout; one table with cos before sin in each row, as vLLM caches it; a complex one. A mapping
        with cos and sin, or inv_freq. A function of (q, k, positions) or, of two parameters, of (q, k) at positions 0, 1, 2, ...
        A module of torch: each rotary module within it is called.
    positions : array of int, shape (positions,), keyword-only
        Of the tables' rows, or those that a function is asked at. None: 0, 1, 2, ...
    head_dim, heads_axis : int, keyword-only
        Of the q and k that a function is given: (1, positions, heads, head_dim) for -2, (1, heads, positions, head_dim) for -3.
    like : array, optional, keyword-only
        What a function is to be given q and k like: framework, dtype, device. None: NumPy's float32.
    method : "LongRoPE", optional, keyword-only
        Any table is LongRoPE of some divisors. Without this it is named only where all divisors have few decimals.
    base : float, keyword-only
        Of the divisors that were asked for.

    Returns
    -------
    Identification, or for modules a dict of it by name

    Raises
    ------
    TypeError, ValueError
        Where x is nothing that rotates.

    Examples
    --------
    >>> import yarncore as yc
    >>> yc.identify(yc.Rope(128, 1e6, yc.YaRN(4, 32768)).inverse_frequencies).rope
    Rope(head_dim=128, base=1000000.0, scaling=YaRN(factor=4.0, original_length=32768))
    """
    if method is not None:
        one_of("method", method, ("LongRoPE",))
        theta = _frequencies(x)
        if (theta <= 0).any():
            raise ValueError("x has frequencies that are not > 0, which LongRoPE has not")
        return of_divisors(theta, real_number("base", base, above=1))
    if isinstance(x, Rotation):
        return of_frequencies(np.abs(_frequencies(x.inverse_frequencies)), None, float(x.attention_factor))
    tables = tables_in(x)
    if tables is not None:
        return of_tables(*tables, positions)
    if hasattr(x, "named_modules") and hasattr(x, "forward"):
        from yarncore.identification.models import of_model

        return of_model(x)
    if isinstance(x, Mapping) and "inv_freq" in x:
        x = x["inv_freq"]
    if callable(x) and not is_array(x):
        return of_function(x, head_dim, heads_axis, positions, like)
    return of_frequencies(_frequencies(x))


def tables_in(x: Any) -> tuple[Any, Any] | None:
    """cos and sin, where x is tables in one of the forms that they come in; else None."""
    if isinstance(x, Mapping):
        return (x["cos"], x["sin"]) if {"cos", "sin"} <= set(x) else None
    if isinstance(x, (tuple, list)):
        if len(x) == 2 and all(_axes(part) >= 2 for part in x):
            return x[0], x[1]
        return None
    if not is_array(x) or _axes(x) < 2:
        return None
    if "complex" in str(x.dtype):
        return x.real, x.imag
    if "sparse" in str(getattr(x, "layout", "")):
        raise TypeError(f"x is a tensor of layout {x.layout}; a dense one is expected")
    width = x.shape[-1]
    if width % 2:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; cos before sin in each row, an even number, is expected of one table"
        )
    return x[..., : width // 2], x[..., width // 2 :]


def _axes(x: Any) -> int:
    return len(getattr(x, "shape", ())) if is_array(x) else np.ndim(x) if isinstance(x, (list, tuple)) else 0


def _frequencies(x: Any) -> Any:
    if not is_array(x) and not (isinstance(x, (list, tuple)) and x):
        raise TypeError(f"x is {type(x).__name__}; {_WHAT} is expected")
    theta = as_float64("x", x)
    if theta.ndim != 1 or not 0 < theta.size <= MOST_PAIRS:
        raise ValueError(
            f"x has shape {theta.shape}; (pairs,), of up to {MOST_PAIRS} pairs, is expected of inverse frequencies"
        )
    if (theta < 0).any():
        raise ValueError("x has negative entries; inverse frequencies, in radians per token, are >= 0")
    return theta


__all__ = ["Identification", "identify", "tables_in"]
