"""What engines make of a configuration, as data: findings, notes, and each key's fate."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from yarncore.configs.dialects import recognised, to_config
from yarncore.configs.engines.examined import (
    ENGINES,
    TRANSFORMERS,
    Examined,
    by_engine,
    by_transformers,
    collected,
    named,
    rope_keys,
)
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.source import Source, load
from yarncore.configs.target_length import target_length
from yarncore.configs.writing import quiet
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope


@dataclass(frozen=True, slots=True)
class Row:
    """What one engine makes of a configuration.

    Attributes
    ----------
    engine, version : str
    verified : bool
        The version asked for is the one that was run.
    decides : bool
        Its findings decide the exit status.
    method : dict of layer type to str
    attention_factor, softmax_factor : dict of layer type to float
    served : int or None
    keys : dict of key to str
        "used", or what the engine does instead.
    findings, notes : tuple of str
    remedy : str
        What to write so that the engine computes what the model does, where it has findings and decides: flags, or keys of
        the file; or why there is nothing. "" where that is not known.
    """

    engine: str
    version: str
    verified: bool
    decides: bool
    method: dict[str, str]
    attention_factor: dict[str, float]
    softmax_factor: dict[str, float]
    served: int | None
    keys: dict[str, str]
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A configuration, and what engines make of it.

    Attributes
    ----------
    where, format : str
    rows : tuple of Row
    """

    where: str
    format: str
    rows: tuple[Row, ...]

    @property
    def findings(self) -> int:
        """How many findings there are that decide."""
        return sum(len(row.findings) for row in self.rows if row.decides)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {"findings": self.findings} | asdict(self)


def diagnose(
    source: Any, engines: list[str], config: Any = None, format: str | None = None, length: int | None = None
) -> Diagnosis:
    """What engines make of a configuration.

    Parameters
    ----------
    engines : list of str
        Names, each with a version after @ or without; empty: transformers decides, and all others are told beside it.

    Raises
    ------
    ConfigError, ValueError, OSError
        Where there is nothing to be read, or an engine is not known.
    """
    asked = [tuple(name.partition("@")[::2]) for name in engines]
    chosen = [(named(name), version) for name, version in asked if name != TRANSFORMERS]
    given = load(source, None if config is None else load(config))
    dialect = recognised(given, format)
    if dialect.NAME != "huggingface":
        if engines:
            raise ConfigError(
                f"{given.where}: {dialect.NAME} is the format of one engine; --engine is for files of transformers"
            )
        return Diagnosis(given.where, dialect.NAME, (_of_its_own(given, dialect),))
    return Diagnosis(given.where, dialect.NAME, _of_transformers(given, chosen, bool(engines), length))


def _of_its_own(given: Source, dialect: Any) -> Row:
    """A format that is one engine's: what its reader warns of."""
    findings: list[str] = []
    notes: list[str] = []
    try:
        with collected(findings, notes):
            found = dialect.read(given, False)
    except ConfigError as error:
        return _row(Examined(dialect.NAME, "", findings=(str(error),)), "", True, {})
    examined = Examined(
        dialect.NAME, "", dict(found), found.advertised_length, findings=tuple(findings), notes=tuple(notes)
    )
    return _row(examined, "", True, {})


def _of_transformers(
    given: Source, chosen: list[tuple[Any, str]], insisted: bool, length: int | None
) -> tuple[Row, ...]:
    own, meant = by_transformers(given.mapping, given.where)
    keys = {} if meant is None else rope_keys(given.mapping, given.where)
    rows = [_row(own, "", True, keys)]
    if meant is None:
        return tuple(rows)
    for engine, version in chosen if insisted else [(engine, "") for engine in ENGINES]:
        examined = by_engine(engine, given.mapping, given.where, meant, length)
        row = _row(examined, version, insisted, keys)
        wanted = row.decides and row.findings and row.engine in _TOLD_IN_WORDS
        rows.append(replace(row, remedy=_remedy(row.engine, given.mapping, meant, length)) if wanted else row)
    return tuple(rows)


# Engines that the file of transformers, or flags beside it, can tell what to compute.
_TOLD_IN_WORDS = ("vllm", "sglang", "mlx-lm", "genai")


def _remedy(engine: str, mapping: Mapping[str, Any], meant: ModelRopes, length: int | None) -> str:
    """What makes an engine compute what the file means; it was read back as that engine reads it."""
    made_for = [target_length(rope.scaling) for rope in meant.values() if rope is not None]
    reaches = max(each for each in (0, meant.advertised_length, *made_for) if each is not None)
    if length is not None and length > reaches:
        return f"nothing for {length} tokens: what the file says reaches {reaches}; yarncore plan says what more needs"
    try:
        with quiet():
            written = to_config(dict(meant), engine, config=mapping)
    except ConfigError as error:
        return f"nothing that it reads: {error}"
    if isinstance(written, list):
        return shlex.join(written)
    changed = {key: value for key, value in written.items() if key not in mapping or mapping[key] != value}
    gone = [key for key in mapping if key not in written]
    return json.dumps(changed) + (f" in the place of {', '.join(gone)}" if gone else "") if changed else ""


def _row(examined: Examined, version: str, decides: bool, keys: Mapping[str, Any]) -> Row:
    ropes = {name: rope for name, rope in (examined.ropes or {}).items() if rope is not None}
    fates = dict.fromkeys(keys, "used")
    for effect in examined.effects:
        path = effect.key.partition(": ")[2] or effect.key
        fates[path] = f"{effect.what}: {effect.words}"
    return Row(
        examined.name,
        version or examined.version,
        not version or examined.version.startswith(version),
        decides,
        {name: _method(rope) for name, rope in ropes.items()},
        {name: float(rope.at().attention_factor) for name, rope in ropes.items()},
        {name: float(rope.at().softmax_scale_factor) for name, rope in ropes.items()},
        examined.served,
        fates if examined.ropes is not None else {},
        examined.findings,
        examined.notes,
    )


def _method(rope: Rope) -> str:
    name = "plain RoPE" if rope.scaling is None else repr(rope.scaling)
    return f"{name}, base {rope.base:g}"
