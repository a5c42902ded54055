"""The parts of a loaded model that rotate: its language model, rotary modules, and methods that call a rotation function."""

import functools
import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from yarncore.transformers.functions import takes_tables
from yarncore.transformers.methods import global_names, globals_of

_POSITIONS, _TABLES = "position_ids", "position_embeddings"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a module stands: its parent and the name that it has there."""

    parent: torch.nn.Module
    name: str
    path: str

    @property
    def module(self) -> torch.nn.Module:
        """What stands there now."""
        found: torch.nn.Module = self.parent._modules[self.name]
        return found


@dataclass(frozen=True, slots=True)
class Method:
    """A method that calls rotation functions, and these under the names that it has for them."""

    module: torch.nn.Module
    path: str
    name: str
    functions: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decoder:
    """The language model within a loaded model.

    Attributes
    ----------
    root : Module
        What was given: the model, or what wraps it.
    model : PreTrainedModel
        The outermost model of transformers: what is saved, and what keeps the record of what was changed.
    config : PreTrainedConfig
        Of the language model.
    rotaries : tuple of Place
    methods : tuple of Method
    custom : str
        A class whose code is not of transformers and that takes cos and sin; empty where there is none.
    """

    root: Any
    model: Any
    config: Any
    rotaries: tuple[Place, ...]
    methods: tuple[Method, ...]
    custom: str

    def owner(self, place: Place) -> torch.nn.Module:
        """The module whose forward calls a rotary module."""
        return _owner(self.model, place, self.config)


def model_of(model: Any) -> Any:
    """The model of transformers that is given, or within what is given (of PEFT, of a trainer).

    Raises
    ------
    TypeError
        Where there is none.
    ValueError
        Where it is compiled already.
    """
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model is {type(model).__name__}; a loaded model of transformers is expected")
    found = None
    for module in model.modules():
        if "_orig_mod" in module._modules or module._compiled_call_impl is not None:
            raise ValueError(f"model is compiled ({type(module).__name__}); extend or restore it first, then compile")
        if found is None and isinstance(module, transformers.PreTrainedModel):
            found = module
    if found is None:
        raise TypeError(
            f"model is {type(model).__name__}, in which there is no model of transformers (PreTrainedModel)"
        )
    return found


def decoder_of(model: Any) -> Decoder:
    """The parts of a model that rotate.

    Raises
    ------
    TypeError, ValueError
        Where there are none.
    """
    outermost = model_of(model)
    config = outermost.config.get_text_config(decoder=True)
    places = [place for place in _places(outermost) if _is_rotary(place.module) and _is_of(_config(place), config)]
    if not places:
        raise ValueError(
            f"{type(outermost).__name__} has no rotary module (one that takes {_POSITIONS} and learns nothing) of its language "
            f"model, {type(config).__name__}: what it rotates by, if it does, is not known"
        )
    owners = {id(owner): owner for owner in (_owner(outermost, place, config) for place in places)}
    methods, custom = [], ""
    rotating = functools.cache(_rotating_methods)  # for this model alone: somebody may patch a class afterwards
    for owner in owners.values():
        for path, module in _of_language_model(owner, config):
            methods += [Method(module, path, name, functions) for name, functions in rotating(module.__class__).items()]
            if _is_custom(module.__class__):
                custom = type(module).__name__
    return Decoder(model, outermost, config, tuple(places), tuple(methods), custom)


def _places(model: torch.nn.Module) -> Iterator[Place]:
    """Each module below, wherever it stands: one that stands at several places more than once."""
    for path, parent in model.named_modules():
        for name, child in parent._modules.items():
            if child is not None:
                yield Place(parent, name, f"{path}.{name}" if path else name)


def _is_rotary(module: torch.nn.Module) -> bool:
    return (
        _POSITIONS in _parameters(module.__class__)
        and not module._modules
        and next(module.parameters(recurse=False), None) is None
    )


@functools.lru_cache(maxsize=1024)
def _parameters(module_class: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(module_class.forward).parameters)


def _config(place: Place) -> Any:
    """The configuration that a rotary module was made from; of what holds it where it keeps none."""
    return getattr(place.module, "config", None) or getattr(place.parent, "config", None)


def _is_of(config: Any, of_language_model: Any) -> bool:
    """Whether a configuration is that of the language model, or a copy that was made for some layers."""
    return config is of_language_model or type(config) is type(of_language_model)


def _owner(model: torch.nn.Module, place: Place, config: Any) -> torch.nn.Module:
    """The model of transformers, of the language model's configuration, that a rotary module stands in."""
    names = place.path.split(".")[:-1]
    within = [model.get_submodule(".".join(names[:count])) for count in range(len(names) + 1)]
    own = [m for m in within if isinstance(m, transformers.PreTrainedModel) and m.config is config]
    return own[-1] if own else within[-1]


def _of_language_model(module: torch.nn.Module, config: Any, path: str = "") -> Iterator[tuple[str, torch.nn.Module]]:
    """A module and those below it, other models within left out."""
    yield path, module
    for name, child in module._modules.items():
        if child is None or (isinstance(child, transformers.PreTrainedModel) and child.config is not config):
            continue
        yield from _of_language_model(child, config, f"{path}.{name}" if path else name)


def _rotating_methods(module_class: Any) -> Mapping[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for owner in reversed(module_class.__mro__):
        if owner.__module__.startswith("torch."):
            continue
        for name, function in vars(owner).items():
            found.pop(name, None)
            if isinstance(function, types.FunctionType):
                names = globals_of(function)
                functions = {key: names[key] for key in sorted(global_names(function)) if takes_tables(names.get(key))}
                if functions:
                    found[name] = functions
    return found


def _is_custom(module_class: Any) -> bool:
    return _TABLES in _parameters(module_class) and not module_class.__module__.startswith("transformers.")
