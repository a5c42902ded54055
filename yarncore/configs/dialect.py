"""What a dialect is: a module that recognises, reads and writes one way to spell a rotary embedding."""

from collections.abc import Mapping
from typing import Any, Protocol

from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.source import Source
from yarncore.configs.writing import WriteRequest


class Dialect(Protocol):
    """A module or package of this folder."""

    NAME: str
    SIGNS: tuple[str, ...]
    """Keys by which it is recognised, for the message where nothing is."""

    CHANGES_A_MODEL: bool
    """It does not tell all, but changes a model's own configuration, as a command line does."""

    def recognises(self, mapping: Mapping[str, Any]) -> bool:
        """Whether a mapping is spelled in this way."""

    def read(self, source: Source, strict: bool) -> ModelRopes:
        """All that it tells; ConfigError names the key, what it holds and what is accepted."""

    def write(self, request: WriteRequest) -> Any:
        """Spell a rotary embedding; ConfigError names what cannot be said, and by how much the nearest differs."""
