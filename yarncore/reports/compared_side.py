"""One side of a comparison: a configuration in any format, or a scaling that is put on the other side's."""

import dataclasses
import errno
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from yarncore._arguments import did_you_mean
from yarncore.configs.dialects import recognised
from yarncore.configs.extension import rescaled, scaled_layers
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.original_length import original_length
from yarncore.configs.source import Source, load
from yarncore.errors import ConfigError
from yarncore.evaluate.scalings import NAMES, parse_scaling
from yarncore.rope.regimes import lengths_of


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """What one side is.

    Attributes
    ----------
    name, format : str
    ropes : ModelRopes
    keys : dict of dotted path to value, or None
        Of the file; None for a scaling that was typed.
    """

    name: str
    format: str
    ropes: ModelRopes
    keys: Mapping[str, Any] | None


def is_scaling(given: Any) -> bool:
    """Whether it is a scaling as it is typed, such as yarn:4, and no file of that name."""
    return isinstance(given, str) and given.partition(",")[0].partition(":")[0] in NAMES and not Path(given).exists()


def sides(a: Any, b: Any, config: Any = None) -> tuple[Side, Side]:
    """Both sides of a comparison.

    Parameters
    ----------
    config : mapping, path or transformers configuration, optional
        The model's own configuration, for command lines; None: the other side, where it is one.

    Raises
    ------
    ConfigError, TypeError, OSError
        Where a side cannot be read.
    """
    if is_scaling(a) and is_scaling(b):
        raise ConfigError(f"{a} and {b} are both scalings; the configuration of a model is expected on one side")
    if isinstance(a, str) and a == b == "-":
        raise ConfigError("both sides are -; standard input is read once")
    model = None if config is None else load(config)
    if is_scaling(a):
        other = _read(load(b), model)
        return _scaled(other, a), other
    if is_scaling(b):
        other = _read(load(a), model)
        return other, _scaled(other, b)
    first, second = _loaded(a), _loaded(b)
    return _read(first, model or _model(second)), _read(second, model or _model(first))


def _loaded(given: Any) -> Source:
    try:
        return load(given)
    except FileNotFoundError as error:
        name = given.partition(",")[0].partition(":")[0] if isinstance(given, str) else ""
        hint = did_you_mean(name, NAMES)
        if not hint or "/" in given:
            raise
        raise FileNotFoundError(errno.ENOENT, f"No such file, and no scaling of that name{hint}", given) from error


def _model(given: Source) -> Source | None:
    """A configuration that command lines can change; None for a command line."""
    return None if recognised(given).CHANGES_A_MODEL else given


def _read(given: Source, config: Source | None) -> Side:
    dialect = recognised(given)
    own = Source(given.mapping, given.where, config if dialect.CHANGES_A_MODEL else None)
    return Side(given.where, dialect.NAME, dialect.read(own, False), dict(_flat(given.mapping)))


def _flat(mapping: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from _flat(value, name)
        else:
            yield name, value


def _scaled(side: Side, typed: str) -> Side:
    found = side.ropes
    if not any(rope is not None for rope in found.values()):
        raise ConfigError(f"{found.where}: the model never rotates q and k; {typed} has nothing to scale")
    length = original_length(found)
    if length.tokens is None:
        raise ConfigError(f"{found.where}: nothing tells the length that {typed} would count from")
    scaling = parse_scaling(typed, length.tokens)
    wanted = dict.fromkeys(scaled_layers(found, found.one_for_all), scaling)
    ropes = {name: rescaled(name, rope, wanted) for name, rope in found.items()}
    reached = [lengths_of(ropes[name], length.tokens)[1] for name in wanted if ropes[name] is not None]  # type: ignore[arg-type]
    longest = max((each for each in reached if each is not None), default=length.tokens)
    return Side(
        typed, "a scaling", dataclasses.replace(found, ropes=ropes, advertised_length=longest, where=typed), None
    )
