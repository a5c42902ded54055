"""A path, folder, dict or configuration object -> a mapping, and where it came from."""

import difflib
import errno
import itertools
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from yarncore.configs.containers.arguments import parse
from yarncore.configs.containers.bounded_file import open_regular, standard_input
from yarncore.configs.containers.extent import check_extent
from yarncore.configs.containers.gguf_header import MAGIC, read_float32, read_header
from yarncore.configs.hub import cached
from yarncore.errors import ConfigError

_LARGEST_FILE = 8 * 2**20  # of JSON, at worst 2 s of CPU and 300 MB
_MOST_NAMES = 4096  # of a folder, that are looked at for a near miss
_NOT_FOUND = (
    "No such file or folder. The path of a config.json, or of a folder that holds one, is expected; the name of a model on the "
    "hub is looked up in the local cache alone, and nothing is downloaded"
)
_OTHER_FORMATS = (".yaml", ".yml", ".toml", ".pkl", ".pickle", ".py", ".pt", ".bin")
_PROGRAMS = ("vllm", "sglang", "llama-server", "llama-cli", "python", "python3", "torchrun")


class Source(NamedTuple):
    """A configuration as a mapping.

    Attributes
    ----------
    mapping : mapping
    where : str
        Its name for messages.
    config : Source or None
        That of the model, where this one only changes it.
    """

    mapping: Mapping[str, Any]
    where: str = "config"
    config: "Source | None" = None


def load(source: Any, config: Source | None = None) -> Source:
    """The mapping of a configuration, and its name for messages.

    Parameters
    ----------
    source : mapping, str, os.PathLike, list of str or configuration object
        A path is that of a JSON or GGUF file, or of a folder with a config.json; "-" is the standard input. A name on the
        hub (owner/model) is that of its config.json in the local cache; nothing is downloaded. A list of words, or a string
        with flags, is a command line.

    Raises
    ------
    ConfigError
        Where there is no JSON object to be read, or one that no configuration is like.
    OSError
        Where the file system says no.
    TypeError
        For anything else.
    """
    found = _loaded(source, config)
    check_extent(found.mapping, found.where)
    return found


def _loaded(source: Any, config: Source | None) -> Source:
    if isinstance(source, Mapping):
        return Source(source, "config", config)
    if isinstance(source, str) and source == "-":
        raw = standard_input(_LARGEST_FILE, "a configuration")
        if raw.startswith(MAGIC):
            raise ConfigError("standard input: a GGUF file, which is read by ranges; its path is expected")
        return Source(parse_json(raw, "standard input"), "standard input", config)
    if isinstance(source, (list, tuple)) and all(isinstance(word, str) for word in source):
        return Source(parse(source), "command line", config)
    if isinstance(source, str) and _is_typed(source) and not _exists(source):
        return Source(parse(source), "command line", config)
    if isinstance(source, (str, bytes, os.PathLike)):
        return Source(*_load_file(os.fsdecode(source)), config)
    if hasattr(source, "config") and hasattr(source, "forward"):
        raise ConfigError(f"source is a model ({type(source).__name__}); give its configuration, model.config")
    if hasattr(source, "to_dict") and hasattr(source, "model_type"):
        return Source(source.to_dict(), type(source).__name__, config)
    raise TypeError(
        f"source is {type(source).__name__}; a dict, the path of a config.json or of a model's folder, a command line, or a "
        "transformers configuration is expected"
    )


def _is_typed(source: str) -> bool:
    """Whether a string is a command line: a program that is known, or flags."""
    return " -" in source or source.partition(" ")[0] in _PROGRAMS


def _exists(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # too long for a path, or with a character that none has
        return False


def _load_file(source: str) -> tuple[Mapping[str, Any], str]:
    path = Path(source)
    if not source:  # an empty variable of a shell; a path of no letters would be the folder of the moment
        raise ConfigError("source is ''; a path is expected")
    if "\0" in source:
        raise ConfigError(f"source is {source!r}, which holds a NUL character; a path is expected")
    folder = path
    if path.is_dir():
        path = path / "config.json"
        if not path.exists():
            raise ConfigError(f"{folder}: no config.json in this folder")
    try:
        status = path.stat()
    except FileNotFoundError:
        found = cached(source)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, _NOT_FOUND + _nearest(path), source) from None
        path, status = found, found.stat()
    with open_regular(path) as file:
        if path.suffix.lower() == ".gguf" or file.read(len(MAGIC)) == MAGIC:
            return read_gguf(path), str(path)
        if path.suffix.lower() in _OTHER_FORMATS:
            raise ConfigError(f"{path}: {path.suffix} files are not read; JSON or GGUF is expected")
        file.seek(0)
        return parse_json(_bounded(file, str(path), status.st_size), str(path)), str(path)


def read_gguf(path: Path) -> dict[str, Any]:
    """The key-values of a GGUF file, and its tensors of divisors under their own names."""
    header = read_header(path)
    values = {key: entry.value for key, entry in header.entries.items()}
    if "general.architecture" not in values:
        number, count = values.get("split.no"), values.get("split.count")
        part = f": this is part {number} (from 0) of {count}, and the first has the key-values" if count else ""
        raise ConfigError(f"{path}: general.architecture is missing{part}")
    for name in ("rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"):
        divisors = read_float32(path, header, name)
        if divisors is not None:
            values[name] = divisors
    return values


def _nearest(path: Path) -> str:
    """The end of a sentence that names what is there under nearly that name; a typed scaling is one, too."""
    try:
        there = next(folder for folder in path.parents if folder.is_dir())
        missing = path.relative_to(there).parts[0]
        names = [entry.name for entry in itertools.islice(os.scandir(there), _MOST_NAMES)]
    except (OSError, StopIteration, ValueError):
        return ""
    near = difflib.get_close_matches(missing, names, n=1)
    return f'; did you mean "{there / near[0] / path.relative_to(there / missing)}"?' if near else ""


def _bounded(file: BinaryIO, where: str, size: int = 0) -> bytes:
    """All that a file holds, where that is no more than a configuration may be; it may hold more than its size said."""
    raw = file.read(_LARGEST_FILE + 1) if size <= _LARGEST_FILE else b""
    if max(size, len(raw)) > _LARGEST_FILE:
        raise ConfigError(f"{where}: {max(size, len(raw))} bytes or more; at most {_LARGEST_FILE} are read")
    return raw


def parse_json(raw: bytes, where: str) -> dict[str, Any]:
    """The JSON object in some bytes; ConfigError where it is none, or names a key twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
            raise ConfigError(f"{where}: the key {name!r} appears twice in one object")
        return found

    if not raw.strip():
        raise ConfigError(f"{where}: empty; a JSON object is expected")
    try:
        encoding = json.detect_encoding(raw)
        value = json.loads(raw.decode(encoding), object_pairs_hook=unique)
    except ConfigError:
        raise
    except RecursionError:
        raise ConfigError(f"{where}: nested too deeply") from None
    except ValueError as error:  # malformed JSON, wrong encoding, an integer of thousands of digits
        raise ConfigError(f"{where}: not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: holds {_kind(value)}; a JSON object is expected")
    return value


def _kind(value: Any) -> str:
    names = {type(None): "null", list: "a list", str: "a string", bool: "true or false"}
    return names.get(type(value), "a number")
