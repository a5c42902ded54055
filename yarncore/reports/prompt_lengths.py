"""Lengths of the prompts that a model serves: read from where they stand, and what a scale does for them."""

import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yarncore._arguments import token_count, whole_number
from yarncore.configs.containers.bounded_file import open_regular, standard_input
from yarncore.errors import ConfigError

_LARGEST_FILE = 64 * 2**20
_LINE = re.compile(r"([0-9]{1,16})(?:\s*[:,;\s]\s*([0-9]{1,16}))?")
_HEADER = re.compile(r"[\"']?[A-Za-z_][\w .-]*[\"']?(?:\s*[,;\t]\s*[\"']?[A-Za-z_][\w .-]*[\"']?)?")


@dataclass(frozen=True, slots=True)
class Reach:
    """How much of the prompts a scale serves.

    Attributes
    ----------
    factor : float
        s.
    length : int
        Tokens that it reaches.
    share : float
        Of the prompts that are not longer.
    """

    factor: float
    length: int
    share: float


@dataclass(frozen=True, slots=True)
class PromptLengths:
    """How many prompts there are of each length.

    Attributes
    ----------
    counts : tuple of (tokens, prompts)
        By rising length.
    """

    counts: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, given: Any) -> "PromptLengths":
        """From a mapping of length to count, a sequence of lengths, or the path of a file (see `read`).

        Raises
        ------
        TypeError, ValueError, OSError
            Naming what is no length and no count.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, (str, Path)):
            return read(str(given))
        if isinstance(given, Mapping):
            pairs: Iterable[tuple[Any, Any]] = ((_from_text(length), count) for length, count in given.items())
        elif isinstance(given, Iterable) and not isinstance(given, bytes):
            pairs = ((length, 1) for length in given)
        else:
            raise TypeError(
                f"lengths is {given!r} ({type(given).__name__}); a mapping of length to count, a sequence of lengths or a path is "
                "expected"
            )
        counts: Counter[int] = Counter()
        for length, count in pairs:
            counts[token_count("a length of lengths", length)] += whole_number("a count of lengths", count, at_least=0)
        if not sum(counts.values()):
            raise ValueError("lengths has no prompt; at least one is expected")
        return cls(tuple(sorted((length, count) for length, count in counts.items() if count)))

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt."""
        return self.counts[-1][0]

    @property
    def prompts(self) -> int:
        """How many there are."""
        return sum(count for _, count in self.counts)

    def share_within(self, length: int) -> float:
        """The share of prompts of at most so many tokens."""
        return sum(count for tokens, count in self.counts if tokens <= length) / self.prompts

    def reaches(self, original_length: int, target: int) -> tuple[Reach, ...]:
        """What s = 1, 2, 4, ... serve, up to the target."""
        factors = [1.0]
        while factors[-1] * original_length < target:
            factors.append(min(2 * factors[-1], target / original_length))
        lengths = [round(factor * original_length) for factor in factors]
        return tuple(
            Reach(factor, length, self.share_within(length)) for factor, length in zip(factors, lengths, strict=True)
        )


def _from_text(length: Any) -> Any:
    """Keys of a JSON object are text."""
    return int(length) if isinstance(length, str) and re.fullmatch(r"\d{1,16}", length) else length


def read(path: str) -> PromptLengths:
    """Lengths from a file: a JSON list of lengths, a JSON object of length to count, or a line for each: `LENGTH [COUNT]`.

    Lines may be those of a CSV file, with names of columns in the first.

    Parameters
    ----------
    path : str
        "-" is the standard input.
    """
    name = "standard input" if path == "-" else path
    raw = standard_input(_LARGEST_FILE, "a histogram") if path == "-" else _bytes(Path(path))
    if len(raw) > _LARGEST_FILE:
        raise ConfigError(f"{name}: more than {_LARGEST_FILE} bytes; a histogram is expected")
    text = raw.decode("utf-8-sig", "replace").strip()
    try:
        return PromptLengths.of(_of_json(text) if text[:1] in "[{" and text else _of_lines(text, name))
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: {error}") from None


def _bytes(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(_LARGEST_FILE + 1)


def _of_json(text: str) -> Any:
    """A list, or an object in which no length is counted twice."""

    def counted(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        if len(found) < len(pairs):
            ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
            raise ValueError(f"the length {name[:40]!r} appears twice; one count is expected")
        return found

    return json.loads(text, object_pairs_hook=counted)


def _of_lines(text: str, name: str) -> dict[int, int]:
    counts: Counter[int] = Counter()
    may_be_header = True
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None and may_be_header and _HEADER.fullmatch(line):
            may_be_header = False
            continue
        may_be_header = False
        if found is None:
            raise ConfigError(f"line {number} is {line[:60]!r}; a length and, where it is not 1, a count are expected")
        counts[int(found[1])] += int(found[2] or 1)
    return counts


def typed(words: list[str]) -> PromptLengths:
    """Lengths as they are typed: one file, or LENGTH:COUNT for each."""
    if len(words) == 1 and not _LINE.fullmatch(words[0]):
        if words[0] != "-" and not Path(words[0]).exists():
            raise ConfigError(f"lengths is {words[0][:200]!r}: neither LENGTH:COUNT, as in 32768:100, nor a file")
        return read(words[0])
    counts: Counter[int] = Counter()
    for word in words:
        found = _LINE.fullmatch(word)
        if found is None:
            raise ValueError(f"lengths has {word!r}; LENGTH:COUNT, LENGTH or one file is expected")
        counts[int(found[1])] += int(found[2] or 1)
    return PromptLengths.of(counts)
