"""onnxruntime-genai: the model's config.json, and what its builders 0.18.0 make of it."""

from collections.abc import Mapping
from typing import Any

from yarncore.configs.engines import as_dialect
from yarncore.configs.engines import genai as engine
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.source import Source
from yarncore.configs.writing import WriteRequest

NAME = engine.NAME
SIGNS: tuple[str, ...] = ()
CHANGES_A_MODEL = False


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Never: the file is that of transformers, and has to be insisted upon."""
    return False


def read(source: Source, strict: bool) -> ModelRopes:
    """What the engine computes of the model's configuration."""
    return as_dialect.read(engine, source, strict)


def write(request: WriteRequest) -> dict[str, Any]:
    """The model's configuration, so that the engine computes the rotation."""
    return as_dialect.write(engine, request)
