"""What save_pretrained writes: a configuration that says the scaling, or yarncore.json beside one that cannot."""

import copy
import dataclasses
import inspect
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import transformers

import yarncore.scaling as scalings
from yarncore.configs.dialects import to_config
from yarncore.configs.model_ropes import ModelRopes
from yarncore.errors import ConfigError, ConfigWarning
from yarncore.query_scale.query_scale import of_letters
from yarncore.rope.rope import Rope
from yarncore.scaling.scaling import Scaling
from yarncore.transformers.changes import Change
from yarncore.transformers.decoder import Decoder

NAME = "yarncore.json"


class Saved(NamedTuple):
    """What is changed so that a model is saved as what it is, and where that is then said."""

    changes: list[Change]
    where: str


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


class SavesRopes:
    """In the place of save_pretrained of one model: writes yarncore.json beside what it writes.

    Parameters
    ----------
    model : PreTrainedModel
    ropes : mapping of layer type to Rope or None
    why : str
        Why config.json cannot say them.
    """

    def __init__(self, model: Any, ropes: Mapping[str, Rope | None], why: str) -> None:
        self.model = model
        self.ropes = ropes
        self.why = why

    def __call__(self, save_directory: Any, *args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            f"config.json says the rotation that the model was loaded with: {self.why}. What it was extended to stands in "
            f"{NAME} beside it: load the folder and call yarncore.transformers.extend(model, folder)",
            ConfigWarning,
            stacklevel=2,
        )
        result = type(self.model).save_pretrained(self.model, save_directory, *args, **kwargs)
        held = {
            "format": 1,
            "ropes": {name: None if rope is None else _held(rope) for name, rope in self.ropes.items()},
        }
        (Path(save_directory) / NAME).write_text(json.dumps(held, indent=2) + "\n", "utf-8")
        return result


def configuration(decoder: Decoder, found: ModelRopes, ropes: Mapping[str, Rope | None], length: int | None) -> Saved:
    """The changes after which save_pretrained writes a model that is extended, and what it writes.

    The configuration that a model was loaded with is left alone, for other models may have it too: the modules get a copy.
    """
    if dict(ropes) == dict(found):
        return Saved([], "config.json, as it was")
    config = decoder.model.config
    try:
        written = to_config(ropes, "huggingface", config=config, length=length)
    except ConfigError as error:
        saving = SavesRopes(decoder.model, dict(ropes), str(error))
        return Saved([Change(decoder.model, "save_pretrained", saving)], f"{NAME} beside config.json: {error}")
    copies: dict[int, Any] = {}
    changed = copy.deepcopy(config, copies)
    _put(changed, config.to_dict(), written)
    rotaries = {id(place.module) for place in decoder.rotaries}  # they compute by the one that they were made from
    changes = [
        Change(module, "config", copies[id(own)])
        for module in decoder.root.modules()
        if (own := vars(module).get("config")) is not None and id(own) in copies and id(module) not in rotaries
    ]
    return Saved(changes + _generation(decoder.model, found.advertised_length, length), "config.json")


def _put(config: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """The keys that differ, in a configuration and in those inside it."""
    for key in {*before, *after}:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        inner = getattr(config, key, None)
        if isinstance(inner, transformers.PreTrainedConfig):
            _put(inner, old or {}, new or {})
        else:
            setattr(config, key, new)


def _generation(model: Any, before: int | None, length: int | None) -> list[Change]:
    """generation_config, where its longest text is as long as the model was."""
    own = vars(model).get("generation_config")
    if own is None or length is None or before is None or own.max_length != before:
        return []
    longer = copy.deepcopy(own)
    longer.max_length = length
    return [Change(model, "generation_config", longer)]


def _same_model(saved: Rope | None, own: Rope | None) -> bool:
    if saved is None or own is None:
        return saved is own
    return dataclasses.replace(saved, scaling=None) == dataclasses.replace(own, scaling=None)


def _fields(record: Any) -> dict[str, Any]:
    """The arguments that make it again."""
    return {name: getattr(record, name) for name in inspect.signature(type(record)).parameters}


def _held(rope: Rope) -> dict[str, Any]:
    held = _fields(rope)
    scaling = rope.scaling
    held["scaling"] = None if scaling is None else {"method": type(scaling).__name__, **_fields(scaling)}
    if rope.query_scale is None:  # as in files of before there were any
        del held["query_scale"]
    else:
        held["query_scale"] = rope.query_scale.letters
    return held


def _rope(held: Any) -> Rope | None:
    if held is None:
        return None
    given = dict(held)
    scaling = given.pop("scaling")
    scale = of_letters(given.pop("query_scale", ""))
    return Rope(**given, scaling=None if scaling is None else _scaling(dict(scaling)), query_scale=scale)


def _scaling(held: dict[str, Any]) -> Scaling:
    method = held.pop("method")
    if method not in scalings.__all__:
        raise ValueError(f"method is {method!r}; one of {', '.join(scalings.__all__)} is expected")
    made: Scaling = getattr(scalings, method)(**held)
    return made
