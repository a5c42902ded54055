"""yarncore.json: the Ropes of a model whose config.json cannot say them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yarncore.scaling as scalings
from yarncore.configs.model_ropes import ModelRopes
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
from yarncore.scaling.scaling import Scaling

NAME = "yarncore.json"


def ropes_from_folder(folder: Path, found: ModelRopes) -> Mapping[str, Rope | None]:
    """The Ropes that a saved model was extended to, by layer type.

    Raises
    ------
    ConfigError
        Where the file is of another model, or holds something else.
    OSError
        Where there is none.
    """
    path = folder / NAME if folder.is_dir() else folder
    try:
        held = json.loads(path.read_text("utf-8"))
        by_type = {name: _rope(value) for name, value in held["ropes"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not what save_pretrained of an extended model writes: {error}") from None
    for name in {*by_type, *found}:
        if name not in by_type or name not in found or not _same_model(by_type[name], found[name]):
            raise ConfigError(
                f"{path}: layers of type {name!r} have {by_type.get(name)!r}, the model has {found.get(name)!r}: another model"
            )
    return by_type


def write_ropes(folder: Path, ropes: Mapping[str, Rope | None]) -> None:
    """Write yarncore.json into the folder of a saved model."""
    held = {"format": 1, "ropes": {name: None if rope is None else _held(rope) for name, rope in ropes.items()}}
    (folder / NAME).write_text(json.dumps(held, indent=2) + "\n", "utf-8")


def _same_model(saved: Rope | None, own: Rope | None) -> bool:
    if saved is None or own is None:
        return saved is own
    fields = ("head_dim", "base", "rotary_dim", "interleaved", "sections", "section_order")
    return all(getattr(saved, name) == getattr(own, name) for name in fields)


def _fields(record: Any) -> dict[str, Any]:
    names = [name for name in record.__dataclass_fields__ if not name.startswith("_")]
    return {name: getattr(record, name) for name in names}


def _held(rope: Rope) -> dict[str, Any]:
    held = _fields(rope)
    scaling = rope.scaling
    held["scaling"] = None if scaling is None else {"method": type(scaling).__name__, **_fields(scaling)}
    return held


def _rope(held: Any) -> Rope | None:
    if held is None:
        return None
    given = dict(held)
    scaling = given.pop("scaling")
    return Rope(**given, scaling=None if scaling is None else _scaling(dict(scaling)))


def _scaling(held: dict[str, Any]) -> Scaling:
    method = held.pop("method")
    if method not in scalings.__all__:
        raise ValueError(f"method is {method!r}; one of {', '.join(scalings.__all__)} is expected")
    made: Scaling = getattr(scalings, method)(**held)
    return made
