"""What command lines that serve a model of transformers share: the model that they name, and an override of its keys."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from yarncore.configs.containers.arguments import is_command_line
from yarncore.configs.engines.engine import Engine, RopeKeys
from yarncore.configs.engines.reading import Computed, read_as, warn_of
from yarncore.configs.huggingface.document import Document
from yarncore.configs.huggingface.writing import Composed, compose
from yarncore.configs.keys import Keys, warn
from yarncore.configs.source import Source, load
from yarncore.configs.typed_keys import TypedKeys
from yarncore.configs.writing import WriteRequest, judge, quiet
from yarncore.errors import ConfigError

Merge = Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]]
"""A model's configuration and an override -> what the engine makes of both."""


def words_of(mapping: Mapping[str, Any]) -> set[str]:
    """The words of a command line that are no flags, without their folders."""
    return {str(word).rpartition("/")[2] for word in mapping[""]} if is_command_line(mapping) else set()


def model_of(source: Source, flags: TypedKeys, flag: str, before: str) -> Source:
    """The configuration of the model that is served: the one given, or that of the folder which is named.

    Raises
    ------
    ConfigError
        Where a hub's repository is named: nothing is downloaded.
    """
    if source.config is not None:
        return source.config
    after = flags.words[flags.words.index(before) + 1 :] if before in flags.words else []
    named = flags.raw(flag) if flags.has(flag) else after[0] if after else None
    if not isinstance(named, str):
        raise ConfigError(f"{source.where}: no model is named; its configuration is needed (config=, --config)")
    try:
        return load(named)
    except FileNotFoundError:
        raise ConfigError(
            f"{source.where}: the model {named!r} is neither a folder here nor in the local cache of the hub, and nothing is "
            "downloaded; its configuration is needed (config=, --config)"
        ) from None


def with_base(mapping: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A configuration as transformers has filled it in before the engine looks: each rope dict has its base."""
    with quiet():
        document = Document(copy.deepcopy(dict(mapping)), where)
        dicts = {
            label: None if own is None else {**own.keys.mapping, "rope_theta": own.base}
            for label, own in document.dicts.items()
        }
    return document.with_dicts(dicts)


def rope_dict_of(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The rope dict of a configuration that transformers has filled in."""
    found = mapping.get("rope_parameters")
    return dict(found) if isinstance(found, Mapping) else {}


def check_length(engine: Engine, where: str, asked: int | None, longest: int | None, allowed: bool, how: str) -> None:
    """ConfigError where the engine refuses to serve so many tokens; `how` says what would make it."""
    if asked is not None and longest is not None and asked > longest and not allowed:
        raise ConfigError(f"{where}: {engine.NAME} refuses to serve {asked} tokens of a model of {longest}: {how}")


def override_of(request: WriteRequest, engine: Engine, key: str) -> tuple[dict[str, Any], Composed]:
    """The keys that have to stand in the model's configuration instead, so that the engine takes rotation and length.

    Raises
    ------
    ConfigError
        Also without the model's configuration, and where its language model stands within another.
    """
    if request.config is None:
        raise ConfigError(f"config is None; the configuration of the model that {engine.NAME} serves is expected")
    with quiet():
        composed = compose(request, request.config.mapping)
    if not any(composed.wanted.values()):
        raise ConfigError(f"{request.where}: the model never rotates q and k; there is nothing to override")
    if composed.nested:
        raise ConfigError(
            f"{request.where}: its language model stands within a larger one; what {engine.NAME} makes of an override there was "
            "not run. Change the file itself (format huggingface)"
        )
    override: dict[str, Any] = {key: composed.rope_parameters}
    if composed.length is not None:
        override |= _lengths(engine, composed, request.config.mapping)
    return override, composed


def _lengths(engine: Engine, composed: Composed, model: Mapping[str, Any]) -> dict[str, int]:
    """The keys from which the engine takes a length, so that it serves this one: some methods multiply it by their factor."""
    keys = {"": RopeKeys(composed.rope_parameters, "config", "rope_parameters")}
    length = composed.length or 1
    served = engine.served(Keys({}, "config"), keys, length).longest or length
    told = length if served == length else -(-length * length // served)
    others = [key for key in getattr(engine, "LENGTHS", ()) if model.get(key) is not None]
    return dict.fromkeys(("max_position_embeddings", *others), told)


def read_served(
    engine: Engine,
    mapping: Mapping[str, Any],
    where: str,
    strict: bool,
    asked: int | None,
) -> Computed:
    """What the engine computes of a merged configuration for so many tokens, with warnings of what it passes over."""
    found = read_as(engine, mapping, where, strict, asked)
    warn_of(engine, found.effects)
    return found


def judge_override(request: WriteRequest, engine: Engine, composed: Composed, read_back: Callable[[], Any]) -> None:
    """Raise or warn where the engine makes something else of what was written."""
    with quiet():
        back = read_back()
    judge(request, f"{engine.NAME} {engine.VERSION}", composed.wanted, back, composed.given_up)


def warn_of_version(engine: Engine, version: str) -> None:
    """What was not run is unverified."""
    if version and version != engine.VERSION:
        warn(f"{engine.NAME} {version}: unverified; {engine.VERSION} is the version that was run")
