"""Reading keys of a configuration: each is checked where it is read, and none is dropped in silence."""

import difflib
import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from yarncore.errors import ConfigError, ConfigWarning


class Keys:
    """A mapping whose keys are read one by one; what nobody read is reported.

    `path` is the dotted path of the mapping within its file. None counts as absent.
    """

    def __init__(self, mapping: Mapping[str, Any], where: str, path: str = "") -> None:
        self.mapping = mapping
        self.where = where
        self.path = path
        self.seen: set[str] = set()

    def name(self, key: str) -> str:
        """The key with its file and path."""
        return f"{self.where}: {self.path + '.' if self.path else ''}{key}"

    def error(self, key: str, accepted: str) -> ConfigError:
        """An error that names the key, what it holds and what is accepted."""
        return ConfigError(f"{self.name(key)} is {self.mapping.get(key)!r}; {accepted} is expected")

    def missing(self, key: str, why: str) -> ConfigError:
        """An error that says which key is needed, and what for."""
        return ConfigError(f"{self.name(key)} is missing; {why}")

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self.mapping.get(key) is not None

    def raw(self, key: str) -> Any:
        """The value as it is; None when absent."""
        self.seen.add(key)
        return self.mapping.get(key)

    def number(self, key: str, *, at_least: float | None = None, above: float | None = None) -> float | None:
        """A finite number within the bounds, or None when absent."""
        value = self.raw(key)
        if value is None:
            return None
        bound = f" >= {at_least:g}" if at_least is not None else f" > {above:g}" if above is not None else ""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(key, f"a number{bound}")
        try:
            number = float(value)
        except OverflowError:
            raise self.error(key, "a number that fits float64") from None
        low = (at_least is not None and number < at_least) or (above is not None and number <= above)
        if not math.isfinite(number) or low:
            raise self.error(key, f"a finite number{bound}")
        return number

    def count(self, key: str, least: int = 1) -> int | None:
        """A whole number >= least (4096.0 is one), or None when absent."""
        number = self.number(key)
        if number is None:
            return None
        if number != int(number) or not least <= number < 2**53:
            raise self.error(key, f"a whole number >= {least}")
        return int(number)

    def flag(self, key: str) -> bool | None:
        """true or false, or None when absent."""
        value = self.raw(key)
        if value is not None and not isinstance(value, bool):
            raise self.error(key, "true or false")
        return value

    def numbers(self, key: str) -> tuple[float, ...] | None:
        """A list of finite numbers > 0, or None when absent."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not value:
            raise self.error(key, "a list of numbers > 0")
        entries = Keys({f"{key}[{i}]": entry for i, entry in enumerate(value)}, self.where, self.path)
        checked = (entries.number(entry, above=0) for entry in entries.mapping)
        return tuple(number if number is not None else math.nan for number in checked)

    def word(self, key: str, accepted: Iterable[str]) -> str | None:
        """One of the accepted words, or None when absent; a near miss is named."""
        value = self.raw(key)
        if value is None:
            return None
        words = list(accepted)
        if value not in words:
            near = difflib.get_close_matches(str(value).lower(), words, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise self.error(key, f"one of {', '.join(words)}{hint}")
        return str(value)

    def agreeing(self, *keys: str) -> str | None:
        """Of several names of one thing, the one that is given; they must agree."""
        given = [key for key in keys if self.has(key)]
        for key in given[1:]:
            if self.mapping[key] != self.mapping[given[0]]:
                raise ConfigError(
                    f"{self.name(given[0])} is {self.mapping[given[0]]!r} and {key} is {self.mapping[key]!r}; they name the "
                    "same thing and must agree"
                )
        self.seen.update(given)
        return given[0] if given else None

    def report_unread(self, strict: bool, irrelevant: Iterable[str] = ()) -> None:
        """Raise (or warn, when not strict) for keys that nobody read and that are not known to be irrelevant."""
        unread = sorted(set(map(str, self.mapping)) - self.seen - set(irrelevant))
        if not unread:
            return
        message = f"{self.name(unread[0])} is not understood" + (
            f" (nor {', '.join(unread[1:])})" if unread[1:] else ""
        )
        if strict:
            raise ConfigError(f"{message}; strict=False reads the rest with a warning")
        warn(f"{message}; it is left out")


def warn(message: str) -> None:
    """A ConfigWarning."""
    warnings.warn(message, ConfigWarning, stacklevel=3)
