"""Configuration files -> Rope: the dialects that are known, in the order in which they are asked."""

from typing import Any

from yarncore.configs.huggingface import dialect as huggingface
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.source import load
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope

DIALECTS = (huggingface,)


def ropes_from_config(source: Any, *, format: str | None = None, strict: bool = True) -> ModelRopes:
    """The rotary embedding of each layer type of a model.

    Parameters
    ----------
    source : mapping, path or transformers configuration
        A path is that of a config.json, or of a folder that holds one; "-" is the standard input.
    format : str, optional, keyword-only
        "huggingface"; None: recognised.
    strict : bool, default True, keyword-only
        False: keys that are not understood make a ConfigWarning instead of an error.

    Returns
    -------
    ModelRopes
        A mapping of layer type to Rope or None; with `.layers`, one entry for each layer, and what else the
        configuration tells.

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
            found: ModelRopes = dialect.read(mapping, where, strict)
            return found
    raise ConfigError(
        f"{where}: not recognised as a configuration of {', '.join(names)}: none of model_type, rope_theta, rope_scaling, "
        "rope_parameters, num_attention_heads is there"
    )


def from_config(source: Any, layer_type: str | None = None, format: str | None = None, strict: bool = True) -> Rope:
    """The rotary embedding of a model, from its own configuration.

    Parameters
    ----------
    source : mapping, path or transformers configuration
        A path is that of a config.json, or of a folder that holds one; "-" is the standard input.
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
    return ropes_from_config(source, format=format, strict=strict).one(layer_type)
