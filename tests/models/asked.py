"""A type of model that can be asked: its configuration made, or its model run, with some keys changed."""

import copy
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rotary_classes import RotaryModel
from running import LayerRun, NotRun, run
from spellings import config_from
from tiny import tiny_config

# What no class has as a default: where it turns up, the key was read.
OTHER_BASE = 54321.0
# Keys without which a class makes no configuration even where its defaults are asked for.
_LEAST = {"EsmConfig": {"vocab_size": 33}}


class Asked:
    """A type of model, its small model as it is by default, and the words of the file of its configuration."""

    def __init__(self, model_type: str, rotary: RotaryModel) -> None:
        self.rotary = rotary
        self.config_class = config_from(model_type, rotary)
        self.defaults = self.config({}).to_dict()
        self.words = set(re.findall(r'"(\w+)"', Path(inspect.getfile(self.config_class)).read_text()))
        self.code = Path(inspect.getfile(rotary.model())).read_text()
        self.usual = self.run({})

    def run(self, given: Mapping[str, Any], length: int = 64) -> tuple[LayerRun, ...]:
        return run(self.rotary, self.config(given), length)

    def config(self, given: Mapping[str, Any]) -> Any:
        """The small configuration with keys set."""
        try:
            return tiny_config(self.config_class, given)
        except Exception as error:
            raise NotRun(f"its configuration raises {type(error).__name__}: {' '.join(str(error).split())}") from error

    def tried(self, given: Mapping[str, Any], length: int = 64) -> tuple[LayerRun, ...] | None:
        """A run, or None where the keys make no model."""
        try:
            return self.run(given, length)
        except NotRun:
            return None

    def made(self, given: Mapping[str, Any]) -> Any:
        """The configuration of its full size that a file of these keys makes; None where it makes none."""
        try:
            keys = {**_LEAST.get(self.config_class.__name__, {}), **given}
            return self.config_class.from_dict(copy.deepcopy(keys))  # classes write into the dicts that they are given
        except Exception:
            return None

    def defaults_of_class(self) -> dict[str, Any]:
        """What a file that says nothing means, in its full size."""
        config = self.made({})
        return {} if config is None else dict(config.to_dict())

    def ropes(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """The rope dicts that a file of these keys makes, by label; None where it makes no configuration."""
        config = self.made(given)
        return None if config is None else by_label(config.to_dict().get("rope_parameters"))

    def keys(self, pattern: re.Pattern[str], *always: str) -> list[str]:
        """The keys that a pattern finds among those of a configuration, and among the words of the file of its class."""
        return sorted(key for key in {*self.defaults, *self.words, *always} if pattern.search(key))


def by_label(ropes: Any) -> dict[str, Any]:
    """Rope dicts by label; the label is "" where all layers have one."""
    if not ropes:
        return {}
    if all(value is None or isinstance(value, Mapping) for value in ropes.values()):
        return {name: None if value is None else dict(sorted(value.items())) for name, value in sorted(ropes.items())}
    return {"": dict(sorted(ropes.items()))}


def size(layer: LayerRun) -> tuple[int, int]:
    """How many elements a layer's rotation is given, and how many pairs turn."""
    return (0, 0) if layer.rotation is None else (layer.rotation.dim, len(layer.rotation.pairs))


def slowest(layer: LayerRun) -> float | None:
    """The frequency by which a base is told from another."""
    return min(layer.rotation.frequencies) if layer.rotation is not None and layer.rotation.pairs else None


def still(layers: tuple[LayerRun, ...]) -> list[int]:
    """The layers that nothing turns in."""
    return [layer.index for layer in layers if layer.rotation is None]
