"""Configuration files -> Rope and back: the dialects that are known, in the order in which they are asked."""

from collections.abc import Mapping
from typing import Any

from yarncore._arguments import boolean, one_of, token_count
from yarncore.configs.huggingface import dialect as huggingface
from yarncore.configs.huggingface import writing as huggingface_writing
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.source import load
from yarncore.configs.writing import WriteRequest
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


WRITERS = {huggingface.NAME: huggingface_writing.write}


def to_config(
    rope: Rope | Mapping[str, Rope | None],
    format: str = "huggingface",
    *,
    config: Any = None,
    length: int | None = None,
    approximate: bool = False,
) -> dict[str, Any]:
    """A rotary embedding as a configuration: the inverse of from_config.

    What was written is read back and compared before it is returned.

    Parameters
    ----------
    rope : Rope, or mapping of layer type to Rope or None
        A mapping for models whose layers differ, as ropes_from_config returns it; what it does not name stays.
    format : "huggingface"
        Who will read it: transformers 5.
    config : mapping, path or transformers configuration, optional, keyword-only
        The model's own configuration. With it the result is the whole of it with the keys of the rotation changed; without
        it those keys alone.
    length : int, optional, keyword-only
        Tokens that the model is to serve (max_position_embeddings). None: what the scaling is made for where it tells,
        else what the configuration has.
    approximate : bool, default False, keyword-only
        Write the nearest where the rotation itself cannot be expressed; a ConfigWarning says by how much it differs.

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        Naming what the format cannot express, with the size of the error of the nearest that it can.

    Warns
    -----
    ConfigWarning
        Of what was given up with approximate=True, and of lengths that nothing tells.
    """
    one_of("format", format, tuple(WRITERS))
    if not isinstance(rope, Rope) and not isinstance(rope, Mapping):
        raise TypeError(
            f"rope is {type(rope).__name__}; a Rope, or a mapping of layer type to Rope or None, is expected"
        )
    if isinstance(rope, Mapping) and not all(one is None or isinstance(one, Rope) for one in rope.values()):
        raise TypeError("rope holds other values than Rope and None")
    mapping, where = (None, "config") if config is None else load(config)
    tokens = None if length is None else token_count("length", length)
    return WRITERS[format](WriteRequest(rope, mapping, where, tokens, boolean("approximate", approximate)))
