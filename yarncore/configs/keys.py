"""Reading keys of a configuration: each is checked where it is read, and none is dropped in silence."""

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from yarncore._arguments import boolean, did_you_mean, is_number, real_number, token_count, whole_number
from yarncore.errors import ConfigError, ConfigWarning

Checked = TypeVar("Checked")

_MOST_LAYERS = 2**16


class Keys:
    """A mapping whose keys are read one by one; what nobody read is reported.

    `path` is the dotted path of the mapping within its file; `defaults` are values of keys that the file may leave out.
    None counts as absent.
    """

    def __init__(
        self, mapping: Mapping[str, Any], where: str, path: str = "", defaults: Mapping[str, Any] | None = None
    ) -> None:
        self.mapping = mapping
        self.defaults = defaults or {}
        self.where = where
        self.path = path
        self.seen: set[str] = set()

    def name(self, key: str) -> str:
        """The key with its file and path."""
        return f"{self.where}: {self.path + '.' if self.path else ''}{key}"

    def error(self, key: str, accepted: str) -> ConfigError:
        """An error that names the key, what it holds and what is accepted."""
        return ConfigError(f"{self.name(key)} is {self.lookup(key)!r}; {accepted} is expected")

    def missing(self, key: str, why: str) -> ConfigError:
        """An error that says which key is needed, and what for."""
        return ConfigError(f"{self.name(key)} is missing; {why}")

    def lookup(self, key: str) -> Any:
        """What the file has under the key (of an inner object after a dot), without counting as read; None when absent."""
        outer, dot, inner = key.partition(".")
        value = self.mapping.get(outer)
        if not dot:
            return value
        return value.get(inner) if isinstance(value, Mapping) else None

    def has(self, key: str) -> bool:
        """Whether the file has the key, and not null."""
        return self.lookup(key) is not None

    def raw(self, key: str) -> Any:
        """The value as it is, or its default; None when absent."""
        self.seen.add(key)
        value = self.lookup(key)
        return self.defaults.get(key) if value is None else value

    def _checked(self, key: str, check: Callable[[str, Any], Checked]) -> Checked | None:
        """The value if a check of arguments accepts it; the check's own sentence, under the key's path, if not."""
        value = self.raw(key)
        if value is None:
            return None
        try:
            return check(self.name(key), value)
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from None

    def number(
        self, key: str, *, at_least: float | None = None, above: float | None = None, below: float | None = None
    ) -> float | None:
        """A finite number within the bounds, or None when absent."""

        def check(name: str, value: Any) -> float:
            if not is_number(value):
                bound = f" >= {at_least:g}" if at_least is not None else f" > {above:g}" if above is not None else ""
                raise TypeError(f"{name} is {value!r} ({type(value).__name__}); a number{bound} is expected")
            return float(real_number(name, value, at_least=at_least, above=above, below=below))

        return self._checked(key, check)

    def count(self, key: str, least: int = 1) -> int | None:
        """A whole number >= least (64.0 is one), or None when absent."""
        return self._checked(key, lambda name, value: whole_number(name, value, at_least=least))

    def layers(self, key: str) -> int | None:
        """A number of layers, or None when absent: one entry is made for each, so that it has to be one that a model has."""
        count = self.count(key)
        if count is not None and count > _MOST_LAYERS:
            raise self.error(key, f"a number of layers, at most {_MOST_LAYERS},")
        return count

    def length(self, key: str) -> int | None:
        """A number of tokens, or None when absent."""
        return self._checked(key, token_count)

    def flag(self, key: str) -> bool | None:
        """true or false, or None when absent."""
        return self._checked(key, boolean)

    def numbers(self, key: str) -> tuple[float, ...] | None:
        """A list of finite numbers > 0, or None when absent."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not value:
            raise self.error(key, "a list of numbers > 0")
        entries = FlatKeys({f"{key}[{i}]": entry for i, entry in enumerate(value)}, self.where, self.path)
        if None in value:
            raise self.error(f"{key}[{list(value).index(None)}]", "a number > 0")
        return tuple(entries.number(entry, above=0) or 0.0 for entry in entries.mapping)

    def word(self, key: str, accepted: Iterable[str]) -> str | None:
        """One of the accepted words, or None when absent; a near miss is named."""
        value = self.raw(key)
        if value is None:
            return None
        words = list(accepted)
        if value not in words:
            raise self.error(key, f"one of {', '.join(words)}{did_you_mean(str(value), words)}")
        return str(value)

    def agreeing(self, *keys: str) -> str | None:
        """Of several names of one thing, the one that is given; they must agree."""
        given = [key for key in keys if self.has(key)]
        for key in given[1:]:
            if self.lookup(key) != self.lookup(given[0]):
                raise ConfigError(
                    f"{self.name(given[0])} is {self.lookup(given[0])!r} and {key} is {self.lookup(key)!r}; they name the "
                    "same thing and must agree"
                )
        self.seen.update(given)
        return given[0] if given else None

    def report_unread(self, strict: bool, irrelevant: Iterable[str] = ()) -> None:
        """Raise (or warn, when not strict) for keys that nobody read and that are not known to be irrelevant."""
        given = {str(key) for key, value in self.mapping.items() if value is not None}
        unread = sorted(given - self.seen - set(irrelevant))
        if not unread:
            return
        message = f"{self.name(unread[0])} is not understood" + (
            f" (nor {', '.join(unread[1:])})" if unread[1:] else ""
        )
        if strict:
            raise ConfigError(f"{message}; strict=False reads the rest with a warning")
        warn(f"{message}; it is left out", finding=True)


class FlatKeys(Keys):
    """A mapping whose keys hold dots of their own, as those of GGUF do."""

    def lookup(self, key: str) -> Any:
        """What the file has under the key, without counting as read; None when absent."""
        return self.mapping.get(key)


def warn(message: str, *, finding: bool = False) -> None:
    """A ConfigWarning at the line that called this package, however deep within it the reason was found."""
    warning = ConfigWarning(message)
    warning.finding = finding
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "yarncore":
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)
