"""What is asked of a framework. The answers here are those of any that speaks the array API.

A framework with answers of its own is a file beside this one, and a row in known.py.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import array_api_compat
import numpy as np

from yarncore.frameworks.layout import Layout

Array = Any
Namespace = Any


class Framework:
    """The answers for arrays of one framework.

    Attributes
    ----------
    name : str
        numpy, torch, jax, cupy, dask, mlx, array_api_strict ...
    immutable : bool
        Whether its arrays cannot be written.
    is_host : bool
        Whether its values lie in memory that can be read without waiting, unless they are traced.
    takes_slots : bool
        Whether an index array can write some tokens of an array and leave the rest.
    contracts : bool
        Whether its compiler may fuse a product into a sum, in one rounding.
    faster : str or None
        What would be faster than array operations on its arrays.
    """

    immutable = False
    is_host = False
    takes_slots = False
    contracts = False
    faster: str | None = None

    def __init__(self, name: str) -> None:
        self.name = name

    # Its arrays

    def namespace(self, x: Array) -> Namespace:
        """The array-API namespace of one array."""
        return array_api_compat.array_namespace(x)

    def dtype_name(self, x: Array) -> str:
        """float32, int64 ..."""
        return str(x.dtype).rpartition(".")[2]

    def is_integer(self, x: Array) -> bool:
        """Whether an array holds integers (bool is none)."""
        return bool(self.namespace(x).isdtype(x.dtype, "integral"))

    def is_traced(self, x: Array) -> bool:
        """Whether the values of an array cannot be read now: a tracer, or one on another device.

        Reading from a device would wait for it, so arrays that live there count as not readable too.
        """
        return not self.is_host

    def is_watched(self) -> bool:
        """Whether a tracer or a mode may record what is done to plain arrays: then no value may be read from them."""
        return False

    def is_virtual(self, x: Array) -> bool:
        """Whether an array stands for others, in a trace or a transform: it must not outlive that."""
        return self.is_traced(x)

    def makes_apart(self) -> Any:
        """What kind of arrays is made now, where there are kinds that must not meet."""
        return None

    def is_recorded(self, x: Array) -> bool:
        """Whether what happens to an array is differentiated or transformed: then the framework must see it."""
        return False

    def device(self, x: Array) -> Any:
        """The device of an array, where the framework never moves arrays by itself; None where it does."""
        return None

    def layout(self, x: Array) -> Layout | None:
        """Where an array lies; None where there is no memory to be seen."""
        return None

    def on_host(self, x: Array) -> np.ndarray[Any, Any]:
        """The values as a NumPy array."""
        return np.asarray(x)

    def broadcast(self, x: Array, shape: tuple[int, ...]) -> Array:
        """An array as if repeated to a shape."""
        return self.namespace(x).broadcast_to(x, shape)

    def kept(self, x: Array) -> Array:
        """The values of an array as they are now, whatever is written to it later."""
        return x

    def write(self, target: Array, values: Array) -> None:
        """Put values into an array, recorded where the framework records."""
        target[...] = values

    def at_index(self, x: Array, index: tuple[np.ndarray[Any, Any], ...]) -> Any:
        """Host index arrays as what `x` is indexed by."""
        return index

    def indexable(self, x: Array) -> Array:
        """The same memory, in a dtype whose elements index arrays can read and write."""
        return x

    # What must be said before one is touched

    def check(self, name: str, x: Array) -> None:
        """Raise TypeError or ValueError where an array of the framework cannot be rotated for what it is."""

    def check_storage(self, name: str, x: Array) -> None:
        """Raise ValueError where the memory of an array was taken away."""

    def check_positions(self, x: Array, name: str = "positions") -> None:
        """Raise TypeError or ValueError where an array cannot serve as positions, or as a table."""

    def check_writable(self, name: str, x: Array) -> None:
        """Raise TypeError or ValueError where an array must not be written."""
        if self.immutable:
            raise TypeError(f"{name} is an array of {self.name}, which is immutable; use rotate")

    # Making others

    def has_64_bits(self, xp: Namespace) -> bool:
        """Whether it computes with int64 and float64."""
        return hasattr(xp, "float64") and hasattr(xp, "int64")

    def placement(self, like: Array) -> dict[str, Any]:
        """device=... for a creation function: where `like` lives. Nothing where arrays are placed by the framework."""
        return {"device": array_api_compat.device(like)}

    def constant(self, xp: Namespace, value: Any, dtype: Any, like: Array | None) -> Array:
        """A host value as an array, on the device of `like`. Copied: ours are read-only."""
        placement = {} if like is None else self.placement(like)
        return xp.asarray(value.copy() if isinstance(value, np.ndarray) else value, dtype=dtype, **placement)

    def kept_beside(
        self, like: Array, arrays: tuple[np.ndarray[Any, Any], ...], copies: dict[Any, Any]
    ) -> tuple[Array, ...] | None:
        """Host arrays on the device of `like`, copied there once and kept among `copies`; None where none can be kept."""
        return None

    def among(self, like: Array) -> AbstractContextManager[Any]:
        """To be entered: what is made within is of the kind of `like`."""
        return nullcontext()

    def take_rows(self, xp: Namespace, table: Array, rows: Array) -> Array:
        """The rows of a table that indices of any shape name: shape (*rows.shape, *table.shape[1:])."""
        return xp.reshape(xp.take(table, xp.reshape(rows, (-1,)), axis=0), (*rows.shape, *table.shape[1:]))

    def rank_among(self, numbers: tuple[int, ...], values: Array, copies: dict[Any, Any]) -> Array:
        """How many of some rising numbers each value exceeds, int32. `copies`: where one on a device may be kept."""
        xp = self.namespace(values)
        ranks = xp.zeros_like(values, dtype=xp.int32)
        for number in numbers:
            if number < xp.iinfo(values.dtype).max:  # else no value of this dtype is beyond it
                ranks = ranks + xp.astype(values > number, xp.int32)
        return ranks

    def default_float(self, xp: Namespace) -> Any:
        """The dtype that a Python float becomes."""
        return xp.asarray(1.0).dtype

    def symbol_as_array(self, name: str, value: Any, like: Array, least: int | None = None) -> Any:
        """An integer that is traced, as a 0-d array where `like` lives; any other value as it is.

        Raises
        ------
        ValueError
            Where one that is traced is known to be below `least`.
        """
        return value


def capture_error() -> ValueError:
    """What is raised where the host would be read while a graph is captured."""
    return ValueError(
        "a CUDA graph is being captured, which cannot record a copy from the host: give positions, lengths and slots as arrays "
        "on the device, and make one such call before the capture"
    )
