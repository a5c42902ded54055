"""An engine that reads the model's own config.json: the same file, and what that engine makes of it."""

from collections.abc import Mapping
from typing import Any

from yarncore.configs.engines.engine import Engine
from yarncore.configs.engines.reading import read_as, warn_of
from yarncore.configs.huggingface.writing import compose
from yarncore.configs.keys import warn
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.source import Source
from yarncore.configs.writing import WriteRequest, judge, quiet
from yarncore.errors import ConfigError


class EngineDialect:
    """The dialect of such an engine."""

    SIGNS: tuple[str, ...] = ()
    CHANGES_A_MODEL = False

    def __init__(self, engine: Engine) -> None:
        self.NAME = engine.NAME
        self._engine = engine

    def recognises(self, mapping: Mapping[str, Any]) -> bool:
        """Never: the file is that of transformers, and has to be insisted upon."""
        return False

    def read(self, source: Source, strict: bool) -> ModelRopes:
        """What the engine computes, with a warning for each key that it passes over or takes otherwise."""
        found = read_as(self._engine, source.mapping, source.where, strict)
        warn_of(self._engine, found.effects)
        return found.ropes

    def write(self, request: WriteRequest) -> dict[str, Any]:
        """The model's configuration with those keys with which the engine computes the rotation.

        Raises
        ------
        ConfigError
            Also without the model's configuration.
        """
        engine = self._engine
        if request.config is None:
            raise ConfigError(f"config is None; the configuration of the model that {engine.NAME} loads is expected")
        if request.version not in ("", engine.VERSION):
            warn(f"{engine.NAME} {request.version}: unverified; {engine.VERSION} is the version that was run")
        with quiet():
            composed = compose(request, request.config.mapping)
            back = read_as(engine, composed.mapping, request.where, strict=False)
        judge(request, f"{engine.NAME} {engine.VERSION}", composed.wanted, back.ropes, composed.given_up)
        return composed.mapping
