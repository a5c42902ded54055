"""Configuration files -> Rope and back: the dialects that are known, in the order in which they are asked."""

import functools
from collections.abc import Mapping
from typing import Any

from yarncore._arguments import boolean, one_of, token_count
from yarncore.configs.dialect import Dialect
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.source import Source, load
from yarncore.configs.writing import WriteRequest
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope

# A format more is a module in this folder, its name here, and the module below; the file of transformers as an engine reads
# it, that engine below.
FORMATS = (
    "gguf", "llama.cpp", "vllm", "sglang", "megatron", "torchtitan", "gpt-oss", "deepseek", "mistral", "huggingface", "mlx-lm",
    "genai",
)  # fmt: skip


@functools.cache
def dialects() -> tuple[Dialect, ...]:
    """The dialects, in the order of FORMATS; loaded when the first configuration is read, not with the package."""
    from yarncore.configs import (
        deepseek,
        gguf,
        gpt_oss,
        huggingface,
        llama_cpp,
        megatron,
        mistral,
        sglang,
        torchtitan,
        vllm,
    )
    from yarncore.configs.engines import genai, mlx_lm
    from yarncore.configs.engines.as_dialect import EngineDialect

    return (
        gguf, llama_cpp, vllm, sglang, megatron, torchtitan, gpt_oss, deepseek, mistral, huggingface,
        EngineDialect(mlx_lm), EngineDialect(genai),
    )  # fmt: skip


def ropes_from_config(source: Any, *, format: str | None = None, strict: bool = True, config: Any = None) -> ModelRopes:
    """The rotary embedding of each layer type of a model.

    Parameters
    ----------
    source : mapping, path, command line or transformers configuration
        A path is that of a config.json or another format's file, or of a folder that holds one; "-" is the standard input.
        The name of a model on the hub is looked up in the local cache. A command line is a list of arguments, or one string.
    format : str, optional, keyword-only
        One of `yarncore.FORMATS`; None: recognised.
    strict : bool, default True, keyword-only
        False: keys that are not understood make a ConfigWarning instead of an error.
    config : mapping, path or transformers configuration, optional, keyword-only
        The model's own configuration, for formats that only change one: command lines. None: the file that they name.

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
    given = load(source, None if config is None else load(config))
    return recognised(given, format).read(given, strict)


def recognised(given: Source, format: str | None = None) -> Dialect:
    """The dialect of a configuration: the one insisted upon, or the first that recognises it.

    Raises
    ------
    ConfigError
        Where none does.
    ValueError
        Where `format` is none of `FORMATS`, or a model's configuration is given to one that needs none.
    """
    if format is not None:
        one_of("format", format, FORMATS)
    for dialect in dialects():
        if format == dialect.NAME or (format is None and dialect.recognises(given.mapping)):
            if given.config is not None and not dialect.CHANGES_A_MODEL:
                raise ValueError(f"config is given, and {dialect.NAME} is a configuration itself; None is expected")
            return dialect
    signs = ", ".join(next(dialect.SIGNS for dialect in dialects() if dialect.NAME == "huggingface"))
    raise ConfigError(
        f"{given.where}: not recognised as one of {', '.join(FORMATS)}: a config.json has one of {signs}, and what tells the "
        "others apart is not there either"
    )


def from_config(
    source: Any, layer_type: str | None = None, format: str | None = None, strict: bool = True, *, config: Any = None
) -> Rope:
    """The rotary embedding of a model, from its own configuration.

    Parameters
    ----------
    source : mapping, path, command line or transformers configuration
        A path is that of a config.json or another format's file, or of a folder that holds one; "-" is the standard input.
        The name of a model on the hub is looked up in the local cache. A command line is a list of arguments, or one string.
    layer_type : str, optional
        Which one, for models whose layers differ.
    format : str, optional
        One of `yarncore.FORMATS`; None: recognised.
    strict : bool, default True
        False: keys that are not understood make a ConfigWarning instead of an error.
    config : mapping, path or transformers configuration, optional, keyword-only
        The model's own configuration, for formats that only change one: command lines. None: the file that they name.

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
    return ropes_from_config(source, format=format, strict=strict, config=config).one(layer_type)


def to_config(
    rope: Rope | Mapping[str, Rope | None],
    format: str = "huggingface",
    *,
    config: Any = None,
    length: int | None = None,
    approximate: bool = False,
    path: Any = None,
) -> Any:
    """A rotary embedding as a configuration: the inverse of from_config.

    What was written is read back and compared before it is returned.

    Parameters
    ----------
    rope : Rope, or mapping of layer type to Rope or None
        A mapping for models whose layers differ, as ropes_from_config returns it; what it does not name stays.
    format : str
        One of `yarncore.FORMATS`: who will read it. A version may follow, as in "vllm@0.10.2"; what is not the measured one
        is said to be unverified.
    config : mapping, path or transformers configuration, optional, keyword-only
        The model's own configuration. "huggingface": with it the result is the whole of it with the keys of the rotation
        changed; without it those keys alone.
    length : int, optional, keyword-only
        Tokens that the model is to serve (max_position_embeddings). None: what the scaling is made for where it tells,
        else what the configuration has.
    approximate : bool, default False, keyword-only
        Write the nearest where the rotation itself cannot be expressed; a ConfigWarning says by how much it differs.
    path : path, optional, keyword-only
        A file to write it to as well, whole or not at all. "gguf": the file that is to be changed (and read, where config is
        None): in place where each value keeps its length, else by a copy that takes its place.

    Returns
    -------
    dict, or list of str for command lines
        "gguf": the key-values that change, None for those that go.

    Raises
    ------
    ConfigError
        Naming what the format cannot express, with the size of the error of the nearest that it can.

    Warns
    -----
    ConfigWarning
        Of what was given up with approximate=True, and of lengths that nothing tells.
    """
    name, _, version = str(format).partition("@")
    one_of("format", name, FORMATS)
    if not isinstance(rope, Rope) and not isinstance(rope, Mapping):
        raise TypeError(
            f"rope is {type(rope).__name__}; a Rope, or a mapping of layer type to Rope or None, is expected"
        )
    if isinstance(rope, Mapping) and not all(one is None or isinstance(one, Rope) for one in rope.values()):
        raise TypeError("rope holds other values than Rope and None")
    if name == "gguf" and config is None:
        config = path
    given = None if config is None else load(config)
    tokens = None if length is None else token_count("length", length)
    request = WriteRequest(rope, given, tokens, boolean("approximate", approximate), version)
    written = next(dialect for dialect in dialects() if name == dialect.NAME).write(request)
    if path is not None:
        from yarncore.configs.saving import save

        save(path, name, written)
    return written
