"""Lengths of the prompts that a model serves: read from where they stand, and what a scale does for them."""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yarncore._arguments import token_count, whole_number
from yarncore.errors import ConfigError

_LARGEST_FILE = 64 * 2**20
_LINE = re.compile(r"(\d+)(?:[:,\s]\s*(\d+))?")


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

    Parameters
    ----------
    path : str
        "-" is the standard input.
    """
    name = "standard input" if path == "-" else path
    raw = sys.stdin.buffer.read(_LARGEST_FILE + 1) if path == "-" else _bytes(Path(path))
    if len(raw) > _LARGEST_FILE:
        raise ConfigError(f"{name}: more than {_LARGEST_FILE} bytes; a histogram is expected")
    text = raw.decode("utf-8", "replace").strip()
    try:
        return PromptLengths.of(json.loads(text) if text[:1] in "[{" and text else _of_lines(text, name))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: {error}") from None


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST_FILE + 1)


def _of_lines(text: str, name: str) -> dict[int, int]:
    counts: Counter[int] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ConfigError(f"line {number} is {line[:60]!r}; a length and, where it is not 1, a count are expected")
        counts[int(found[1])] += int(found[2] or 1)
    return counts


def typed(words: list[str]) -> PromptLengths:
    """Lengths as they are typed: one file, or LENGTH:COUNT for each."""
    if len(words) == 1 and not _LINE.fullmatch(words[0]):
        return read(words[0])
    counts: Counter[int] = Counter()
    for word in words:
        found = _LINE.fullmatch(word)
        if found is None:
            raise ValueError(f"lengths has {word!r}; LENGTH:COUNT, LENGTH or one file is expected")
        counts[int(found[1])] += int(found[2] or 1)
    return PromptLengths.of(counts)
