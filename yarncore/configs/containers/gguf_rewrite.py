"""Key-values of a GGUF file are changed: in place where each keeps its length, else in a copy that takes the file's place."""

import os
import shutil
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from yarncore.configs.containers.bounded_file import open_regular
from yarncore.configs.containers.gguf_header import ARRAY, MAGIC, NUMBERS, STRING, Entry, Header, header_of, read_header
from yarncore.errors import ConfigError

_OF_NEW = {bool: 7, int: 4, float: 6, str: STRING}  # bool, uint32, float32, string


def rewrite(path: Path, changes: Mapping[str, Any]) -> bool:
    """Set keys (None: remove) of a file; whether that was done in place.

    The copy is written beside the file and replaces it when it is complete. A link is replaced by the copy: what it points
    to, in a cache that others share, stays as it is.

    Raises
    ------
    ConfigError
        Where a value does not fit the type that its key has; nothing has been written then.
    OSError
        Where the file system says no; the file is as it was.
    """
    header = read_header(path)
    encoded = {key: None if value is None else _encoded(path, header, key, value) for key, value in changes.items()}
    encoded = {key: value for key, value in encoded.items() if value is not None or key in header.entries}
    same_length = all(
        value is not None and key in header.entries and len(value[1]) == header.entries[key].size
        for key, value in encoded.items()
    )
    if same_length and not path.is_symlink():
        _write_in_place(path, header, encoded)
        return True
    _replace(path, header, encoded)
    return False


def _encoded(path: Path, header: Header, key: str, value: Any) -> tuple[int, bytes]:
    """The type and the bytes of a value, in the type that the key has."""
    entry = header.entries.get(key)
    kind = _OF_NEW[type(value)] if entry is None else entry.kind
    try:
        if kind == ARRAY or (kind == STRING) != isinstance(value, str):
            raise struct.error
        if kind == STRING:
            raw = value.encode("utf-8")
            return kind, struct.pack("<Q", len(raw)) + raw
        return kind, struct.pack("<" + NUMBERS[kind], value)
    except (struct.error, OverflowError):
        raise ConfigError(f"{path}: {key} is of GGUF's type {kind}, which cannot hold {value!r}") from None


def _write_in_place(path: Path, header: Header, encoded: Mapping[str, tuple[int, bytes] | None]) -> None:
    """By one write of all that lies between, so that of two writers one is the last for every key."""
    values = {header.entries[key].offset: value[1] for key, value in encoded.items() if value is not None}
    if not values:
        return
    with open_regular(path, os.O_RDWR) as file:
        _check_unchanged(file, path, header)
        begin = min(values)
        file.seek(begin)
        between = bytearray(file.read(max(at + len(raw) for at, raw in values.items()) - begin))
        for at, raw in values.items():
            between[at - begin : at - begin + len(raw)] = raw
        file.seek(begin)
        file.write(between)


def _check_unchanged(file: BinaryIO, path: Path, header: Header) -> None:
    """Raise where the file is no longer the one whose header was read: what stands where is then another."""
    if header_of(file, path) != header:
        raise ConfigError(f"{path}: somebody else changed the file meanwhile; nothing was written")


def _replace(path: Path, header: Header, encoded: Mapping[str, tuple[int, bytes] | None]) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out, open_regular(path) as file:
            _check_unchanged(file, path, header)
            file.seek(0)
            _write_header(out, file, header, encoded)
            file.seek(min(header.data_start, os.fstat(file.fileno()).st_size))
            shutil.copyfileobj(file, out, 2**24)
            out.flush()
            os.fsync(out.fileno())
        shutil.copymode(path, name)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write_header(
    out: BinaryIO, file: BinaryIO, header: Header, encoded: Mapping[str, tuple[int, bytes] | None]
) -> None:
    kept = {key: entry for key, entry in header.entries.items() if encoded.get(key, ()) is not None}
    new = {key: value for key, value in encoded.items() if value is not None and key not in header.entries}
    version = file.read(8)[4:]
    out.write(MAGIC + version + struct.pack("<QQ", len(header.tensors), len(kept) + len(new)))
    for key, entry in kept.items():
        value = encoded.get(key)
        if value is None:
            _copy(out, file, _begin(key, entry), entry.offset + entry.size)
        else:
            out.write(_named(key, *value))
    for key, (kind, raw) in new.items():
        out.write(_named(key, kind, raw))
    _copy(out, file, header.keys_end, header.end)
    out.write(bytes(-out.tell() % header.alignment))


def _begin(key: str, entry: Entry) -> int:
    return entry.offset - 4 - len(key.encode("utf-8")) - 8


def _named(key: str, kind: int, raw: bytes) -> bytes:
    name = key.encode("utf-8")
    return struct.pack("<Q", len(name)) + name + struct.pack("<I", kind) + raw


def _copy(out: BinaryIO, file: BinaryIO, begin: int, end: int) -> None:
    file.seek(begin)
    left = end - begin
    while left > 0:
        chunk = file.read(min(left, 2**24))
        if not chunk:
            raise ConfigError("the file became shorter while it was copied")
        out.write(chunk)
        left -= len(chunk)
