"""Flags of a command line, whose values are words: read as the numbers that they are."""

from collections.abc import Mapping
from typing import Any

from yarncore.configs.keys import FlatKeys
from yarncore.configs.source import parse_json


class TypedKeys(FlatKeys):
    """The flags of a command line; a word that is a number counts as one."""

    def __init__(self, mapping: Mapping[str, Any], where: str) -> None:
        flags = {key: _number(value) if isinstance(value, str) else value for key, value in mapping.items() if key}
        super().__init__(flags, where)
        self.words: list[str] = list(mapping.get("", []))
        self.typed = mapping

    def object(self, flag: str) -> dict[str, Any] | None:
        """The JSON object that a flag holds, or None when absent."""
        self.seen.add(flag)
        text = self.typed.get(flag)
        if text is None or isinstance(text, Mapping):
            return None if text is None else dict(text)
        return parse_json(str(text).encode("utf-8", "surrogatepass"), self.name(flag))


def _number(word: str) -> Any:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
