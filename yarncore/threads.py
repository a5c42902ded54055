"""How many threads a native call may use: the one piece of global state."""

from typing import Any

from yarncore._arguments import integer
from yarncore.backends.native.extension import extension


def set_num_threads(count: Any) -> None:
    """Let native calls from now on use at most `count` threads.

    By default OMP_NUM_THREADS, else the CPUs that the process may run on. Small calls use fewer.

    Parameters
    ----------
    count : int
        >= 1; more than 1024 count as 1024.

    Raises
    ------
    TypeError, ValueError
        For anything but an integer >= 1.
    BackendUnavailable
        Where the extension cannot be loaded.
    """
    number = integer("count", count)
    if number < 1:
        raise ValueError(f"count is {count!r}; an integer >= 1 is expected")
    extension().set_num_threads(min(number, 1024))


def get_num_threads() -> int:
    """How many threads a native call may use."""
    return int(extension().get_num_threads())
