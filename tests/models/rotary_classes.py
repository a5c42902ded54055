"""Which classes of transformers rotate: found by reading its modeling files, so that none is forgotten."""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import transformers
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

MODELS = Path(transformers.__file__).parent / "models"
_ROTARY_NAME = re.compile(r"Rotary|Rope|RoPE")


@dataclass(frozen=True, slots=True)
class RotaryModel:
    """A model class that makes a rotary embedding, and the configuration it is made from."""

    folder: str
    rotary_class: str
    model_class: str
    config_class: str

    @property
    def source(self) -> str:
        return f"models/{self.folder}/modeling_{self.folder}.py"

    def modeling(self) -> Any:
        return importlib.import_module(f"transformers.models.{self.folder}.modeling_{self.folder}")

    def model(self) -> Any:
        return getattr(self.modeling(), self.model_class)

    def config(self) -> Any:
        return getattr(self.modeling(), self.config_class, None) or getattr(transformers, self.config_class)


@cache
def rotary_models() -> tuple[RotaryModel, ...]:
    """Every model class of transformers that makes a rotary embedding, itself or through what it is made of."""
    return tuple(found for path in sorted(MODELS.glob("*/modeling_*.py")) for found in _in_file(path))


# Classes whose annotation names the configuration of the whole model, and what they are made from.
_MADE_FROM = {"T5GemmaDecoder": "T5GemmaModuleConfig", "T5GemmaEncoder": "T5GemmaModuleConfig"}
# An encoder and a decoder of one configuration: the model that makes both of it.
_OF_BOTH = {"MoonshineDecoder": "MoonshineModel"}


def _in_file(path: Path) -> Iterator[RotaryModel]:
    text = path.read_text()
    if not _ROTARY_NAME.search(text):
        return
    classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    made = {name: _calls(node) & set(classes) for name, node in classes.items()}
    for rotary in classes:
        if _ROTARY_NAME.search(rotary) and not _is_model(rotary, classes):
            for model in sorted(_models_that_make(rotary, made, classes)):
                yield RotaryModel(path.parent.name, rotary, model, _MADE_FROM.get(model) or _config_of(model, classes))


def _calls(node: ast.ClassDef) -> set[str]:
    return {call.func.id for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}


def _bases(name: str, classes: dict[str, ast.ClassDef]) -> list[str]:
    return [base.id for base in classes[name].bases if isinstance(base, ast.Name)]


def _is_model(name: str, classes: dict[str, ast.ClassDef]) -> bool:
    return any(
        base.endswith("PreTrainedModel") or (base in classes and _is_model(base, classes))
        for base in _bases(name, classes)
    )


def _models_that_make(part: str, made: dict[str, set[str]], classes: dict[str, ast.ClassDef]) -> set[str]:
    """The models nearest above a part: what makes it, or makes what makes it."""
    found: set[str] = set()
    seen = {part}
    waiting = [part]
    while waiting:
        made_by = {name for name, parts in made.items() if waiting[-1] in parts} - seen
        waiting.pop()
        seen |= made_by
        for name in made_by:
            if _is_model(name, classes):
                found.add(name)
            else:
                waiting.append(name)
    return found


def _config_of(name: str, classes: dict[str, ast.ClassDef]) -> str:
    """The configuration's class, from the annotation of the constructor, or of the model that it derives from."""
    for node in classes[name].body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            for argument in node.args.args:
                if argument.arg == "config" and argument.annotation is not None:
                    return ast.unparse(argument.annotation)
    for base in _bases(name, classes):
        if base in classes:
            return _config_of(base, classes)
    raise LookupError(f"{name} names no configuration class")


def text_models() -> dict[str, RotaryModel]:
    """The type of each configuration whose model turns queries and keys by the positions of tokens, and that model."""
    found: dict[str, RotaryModel] = {}
    for rotary in rotary_models():
        if not re.search(r"Vision|ViT|Video", rotary.rotary_class + rotary.model_class):
            whole = _OF_BOTH.get(rotary.model_class, rotary.model_class)
            found.setdefault(rotary.config().model_type, replace(rotary, model_class=whole))
    for model_type, model_class in sorted(MODEL_MAPPING_NAMES.items()):
        for rotary in found.copy().values():
            if model_class == rotary.model_class:
                found.setdefault(model_type, rotary)
    return {model_type: rotary for model_type, rotary in sorted(found.items()) if model_type}
