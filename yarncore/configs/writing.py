"""What a dialect is asked to write, and the judgement of what it wrote: read back, and compared in numbers."""

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from yarncore.configs.difference import Difference, difference
from yarncore.configs.keys import warn
from yarncore.configs.source import Source
from yarncore.errors import ConfigError, ConfigWarning
from yarncore.rope.rope import Rope


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A rotary embedding that is to be written.

    Attributes
    ----------
    ropes : Rope, or mapping of layer type to Rope or None
    config : Source or None
        The model's own configuration.
    length : int or None
        Tokens that are to be served; None: what the scaling says itself.
    approximate : bool
        Write the nearest that can be written where the rotation itself cannot.
    version : str
        Of who will read it, "" where none was named.
    """

    ropes: Rope | Mapping[str, Rope | None]
    config: Source | None
    length: int | None
    approximate: bool
    version: str = ""

    @property
    def where(self) -> str:
        """The name of the model's configuration in messages."""
        return "config" if self.config is None else self.config.where

    def only_rope(self, why: str) -> Rope:
        """The Rope, where no more than one can be written; `why` ends the message of the error."""
        if isinstance(self.ropes, Rope):
            return self.ropes
        different = list(dict.fromkeys(self.ropes.values()))
        if len(different) != 1 or different[0] is None:
            raise ConfigError(f"rope has {len(different)} rotary embeddings, by layer type; one is expected: {why}")
        return different[0]


def judge(
    request: WriteRequest,
    whose: str,
    wanted: Mapping[str, Rope | None],
    read_back: Mapping[str, Rope | None],
    given_up: Mapping[str, str],
    layout_hint: str = "",
    float32: bool = False,
) -> None:
    """Raise where what was written is not what was asked for, or warn where that was accepted beforehand.

    Parameters
    ----------
    whose : str
        Who will read it.
    wanted, read_back : mapping of layer type to Rope or None
    given_up : mapping of layer type to str
        What could not be written, in words.
    layout_hint : str
        What a caller can do about elements that are paired in another way.
    float32 : bool
        The format keeps numbers so.

    Raises
    ------
    ConfigError
        Also with approximate=True where other elements would turn, to which no number is a measure.
    """
    for name, rope in wanted.items():
        found = difference(rope, read_back.get(name), float32)
        if not found:
            continue
        reason = given_up.get(name) or _reason(found)
        of_layers = f" for layers of type {name}" if len(wanted) > 1 else ""
        if found.layout:
            raise ConfigError(f"{whose} cannot express {reason}{of_layers}: {found}{layout_hint}")
        if not request.approximate:
            raise ConfigError(
                f"{whose} cannot express {reason}{of_layers}. The nearest that can be written: {found}; approximate=True "
                "writes it"
            )
        warn(f"{whose} cannot express {reason}{of_layers}: written all the same, {found}")


def _reason(found: Difference) -> str:
    return "this layout of pairs" if found.layout else "these numbers"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of a reader whose result is only looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConfigWarning)
        yield
