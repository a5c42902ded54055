"""Configuration files -> Rope: the dialects that are known, in the order in which they are asked."""

from collections.abc import Iterator, Mapping
from typing import Any

from yarncore.configs import huggingface
from yarncore.configs.keys import warn
from yarncore.configs.source import load
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope

DIALECTS = (huggingface,)


class LayeredRopes(Mapping[str, "Rope | None"]):
    """Layer type -> Rope, or None where there is no rotation.

    Attributes
    ----------
    layers : tuple of Rope or None
        One entry for each layer; empty where the file does not tell how many there are.
    """

    def __init__(self, ropes: dict[str, Rope | None], layer_types: tuple[str, ...]) -> None:
        self._ropes = dict(ropes)
        self.layers = tuple(self._ropes[name] for name in layer_types)

    def __getitem__(self, layer_type: str) -> Rope | None:
        return self._ropes[layer_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ropes)

    def __len__(self) -> int:
        return len(self._ropes)

    def __repr__(self) -> str:
        return f"LayeredRopes({self._ropes!r}, {len(self.layers)} layers)"


def ropes_from_config(source: Any, *, format: str | None = None, strict: bool = True) -> LayeredRopes:
    """The rotary embedding of each layer type of a model.

    Parameters
    ----------
    source : mapping, path or transformers configuration
        A path is that of a config.json, or of a folder that holds one.
    format : str, optional, keyword-only
        "huggingface"; None: recognised.
    strict : bool, default True, keyword-only
        False: keys that are not understood make a ConfigWarning instead of an error.

    Returns
    -------
    mapping of layer type to Rope or None
        With `.layers`, one entry for each layer.

    Raises
    ------
    ConfigError
        Naming the file, the key's path, what it holds and what is accepted.
    """
    names = tuple(dialect.NAME for dialect in DIALECTS)
    if format is not None and format not in names:
        raise ValueError(f"format is {format!r}; one of {', '.join(names)} is expected")
    mapping, where = load(source)
    for dialect in DIALECTS:
        if format == dialect.NAME or (format is None and dialect.recognises(mapping)):
            found = dialect.read(mapping, where, strict)
            return LayeredRopes(found.ropes, found.layer_types)
    raise ConfigError(
        f"{where}: not recognised as a configuration of {', '.join(names)}: none of model_type, rope_theta, rope_scaling, "
        "rope_parameters, num_attention_heads is there"
    )


def from_config(source: Any, layer_type: str | None = None, format: str | None = None, strict: bool = True) -> Rope:
    """The rotary embedding of a model, from its own configuration.

    Parameters
    ----------
    source : mapping, path or transformers configuration
        A path is that of a config.json, or of a folder that holds one.
    layer_type : str, optional
        Which one, for models whose layers differ.
    format : str, optional
        "huggingface"; None: recognised.
    strict : bool, default True
        False: keys that are not understood make a ConfigWarning instead of an error.

    Returns
    -------
    Rope

    Raises
    ------
    ConfigError
        Also where several layer types differ and none was chosen: it lists them.

    Warns
    -----
    ConfigWarning
        Of what the reader must know: layers without rotation, what attention has to apply itself, defaults that were
        filled in, lengths that do not fit each other.
    """
    ropes = ropes_from_config(source, format=format, strict=strict)
    if layer_type is not None:
        if layer_type not in ropes:
            raise ConfigError(f"layer_type is {layer_type!r}; one of {', '.join(ropes)} is expected")
        rope = ropes[layer_type]
        if rope is None:
            raise ConfigError(f"layers of type {layer_type!r} have no rotation")
        return rope
    different = dict.fromkeys(rope for rope in ropes.values() if rope is not None)
    if len(different) != 1:
        listed = "; ".join(f"{name}: {rope!r}" for name, rope in ropes.items()) or "none"
        raise ConfigError(f"several rotary embeddings; choose a layer_type, or use ropes_from_config: {listed}")
    if None in ropes.values():
        still = [name for name, rope in ropes.items() if rope is None]
        warn(f"layers of type {', '.join(still)} have no rotation; ropes_from_config(...).layers says which")
    return next(iter(different))
