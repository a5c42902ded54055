"""Expressions that each framework writes in its own way, for code that has a namespace or an array."""

from typing import Any

from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import of, of_namespace


def namespace_of(x: Array) -> Namespace:
    """The array-API namespace of one array."""
    return of(x).namespace(x)


def has_64_bits(xp: Namespace) -> bool:
    """Whether `xp` computes with int64 and float64. JAX does only when told to, MLX not on its GPU."""
    return of_namespace(xp).has_64_bits(xp)


def widest_float(xp: Namespace) -> Any:
    """The most exact floating dtype of `xp`."""
    return xp.float64 if has_64_bits(xp) else xp.float32


def device_argument(xp: Namespace, like: Array | None) -> dict[str, Any]:
    """device=... for a creation function of `xp`: where `like` lives. Nothing for JAX and MLX, which place arrays."""
    return {} if like is None else of_namespace(xp).placement(like)


def constant(xp: Namespace, value: Any, dtype: Any, like: Array | None = None) -> Array:
    """A host value as an array of `xp`, on the device of `like`."""
    return of_namespace(xp).constant(xp, value, dtype, like)


def take_rows(xp: Namespace, table: Array, rows: Array) -> Array:
    """The rows of a table that indices of any shape name: shape (*rows.shape, *table.shape[1:])."""
    return of_namespace(xp).take_rows(xp, table, rows)


def check_finite(name: str, array: Array) -> None:
    """A ValueError where entries are NaN or infinite; not where a value is no number yet, or lies on another device.

    Parameters
    ----------
    name : str
        Of the argument, for the error.
    """
    if of(array).is_traced(array) or of(array).is_integer(array):
        return
    xp = namespace_of(array)
    if not bool(xp.all(xp.isfinite(array))):
        raise ValueError(f"{name} has NaN or infinite entries; finite numbers are expected")
