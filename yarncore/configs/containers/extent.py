"""How deep a document may be, and how long its numbers: whoever reads, copies or shows it afterwards need not ask."""

from collections.abc import Mapping
from typing import Any

from yarncore.errors import ConfigError

_DEEPEST = 64
_MOST_BITS = 2**11  # of an integer: twice what a float64 can hold, and less than Python refuses to show


def check_extent(document: Mapping[str, Any], where: str) -> None:
    """Raise where a document is deeper than any configuration (or holds itself), or has an integer that cannot be shown.

    Raises
    ------
    ConfigError
        Naming the path of the key.
    """
    _check(document, [], where)


def _check(container: Any, path: list[str], where: str) -> None:
    if len(path) == _DEEPEST:
        raise ConfigError(f"{where}: {'.'.join(path[:4])}... is nested more than {_DEEPEST} deep")
    for key, value in container.items() if isinstance(container, Mapping) else enumerate(container):
        if value is None or isinstance(value, (str, float)):
            continue
        if isinstance(value, int):
            if value.bit_length() > _MOST_BITS:
                raise ConfigError(
                    f"{where}: {'.'.join([*path, str(key)])} is an integer of {value.bit_length()} bits; at most {_MOST_BITS} "
                    "are read"
                )
        elif isinstance(value, (dict, list, tuple, Mapping)) and value:
            path.append(str(key))
            _check(value, path, where)
            path.pop()
