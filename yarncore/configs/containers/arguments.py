"""A command line as a mapping: flag -> its value, the later of two as engines take it; what is no flag stands under ""."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from yarncore.errors import ConfigError

_MOST = 2**12
_LONGEST = 2**20


def parse(source: str | Sequence[str]) -> dict[str, Any]:
    """The flags of a command line; a flag that is followed by none of its own is True.

    Raises
    ------
    ConfigError
        Where a string is no command line, or one that nobody typed.
    """
    if isinstance(source, str):
        try:
            words = shlex.split(source.replace("\\\n", " "))
        except ValueError as error:
            raise ConfigError(f"command line: {error}") from None
    else:
        words = list(source)
    if len(words) > _MOST or any(len(word) > _LONGEST for word in words):
        raise ConfigError(f"command line: {len(words)} arguments; at most {_MOST} of {_LONGEST} characters are read")
    found: dict[str, Any] = {"": []}
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if not _is_flag(word):
            found[""].append(word)
            continue
        flag, given, value = word.partition("=")
        found.pop(flag, None)  # the order of flags is that of their last mention
        if given:
            found[flag] = value
        elif position < len(words) and not _is_flag(words[position]):
            found[flag] = words[position]
            position += 1
        else:
            found[flag] = True
    return found


def _is_flag(word: str) -> bool:
    """-c and --rope-scale are flags; - and -1 are not."""
    return len(word) > 1 and word[0] == "-" and not (word[1].isdigit() or word[1] == ".")


def typed(flags: Mapping[str, float | str]) -> list[str]:
    """Flags and their values as a list of arguments."""
    return [word for flag, value in flags.items() for word in (flag, _as_word(value))]


def _as_word(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def is_command_line(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping was made here."""
    return isinstance(mapping.get(""), list)
