"""The exceptions and the warning that are yarncore's own."""

import importlib.util

_LONGEST = 4000


def printable(message: str) -> str:
    """A message that quotes what somebody else wrote, fit for any terminal: control characters, halves of surrogate pairs and
    what is left after some thousand characters are not.
    """
    kept = message if len(message) <= _LONGEST else f"{message[:2500]} [...] {message[-1000:]}"
    if kept.isprintable():
        return kept
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in kept)


class ConfigError(ValueError):
    """A model's configuration cannot be read as a rotary embedding; the message names the file and the key's path."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ConfigWarning(UserWarning):
    """A configuration is read, and there is something in it that the reader should know.

    Attributes
    ----------
    finding : bool
        It makes somebody compute another thing than the file says, or serve another length.
    """

    finding: bool = False

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class BackendUnavailable(ValueError):
    """The backend insisted upon cannot rotate this array here; the message says why."""


class MissingExtra(ValueError, ImportError):
    """A package of an extra is not installed."""


def need_packages(what: str, extra: str, packages: tuple[str, ...]) -> None:
    """Raise where a package of an extra is missing; `what` needs it.

    Raises
    ------
    MissingExtra
        Not a ModuleNotFoundError of some inner import: the sentence says which extra to install.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(f"{what} needs {', '.join(missing)}: pip install 'yarncore[{extra}]'")
