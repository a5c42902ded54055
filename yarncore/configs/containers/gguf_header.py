"""The header of a GGUF file: its key-values, and where each stands. Untrusted: every length is checked, every loop bounded.

The format: ggml-org/ggml, docs/gguf.md, versions 2 and 3, little-endian. What is not needed (the vocabulary) is passed over
unread, so that a file of 100 GB costs as much as a small one.
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from yarncore.configs.containers.bounded_file import BoundedFile, open_regular
from yarncore.errors import ConfigError

MAGIC = b"GGUF"
# struct's letter for each type of number, by the format's number for the type.
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
FLOAT32_TENSOR = 0

# Bounds of what is read, so that no file costs more than about a second and some MiB. A converted model has some 50 keys, up
# to a few times 10^4 tensors (experts that were not merged), and 8 * 10^5 strings in its vocabulary and merges.
_MOST_KEYS = 2**12
_MOST_TENSORS = 2**17
_MOST_STRINGS = 2**21  # of all arrays together
_MOST_ARRAYS = 2**14  # within arrays, of all together
_LONGEST_KEY = 2**10
_LONGEST_NAME = 2**8  # of a tensor: ggml keeps 63 bytes
_KEPT_STRING = 2**10
_KEPT_NUMBERS = 2**14
_ALL_KEPT_NUMBERS = 2**17  # of all arrays together
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value and where it stands.

    Attributes
    ----------
    kind : int
        The format's number for its type.
    value : number, bool, str, list of numbers, or None
        None: passed over, being too long to concern a rotation.
    offset, size : int
        In bytes, of the value alone.
    """

    kind: int
    value: Any
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's shape and type, and where its data starts, counted from that of the first."""

    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(slots=True)
class _Left:
    """What the arrays of a file may still hold, all together."""

    strings: int = _MOST_STRINGS
    arrays: int = _MOST_ARRAYS
    kept_numbers: int = _ALL_KEPT_NUMBERS

    def take(self, kind: int, count: int) -> bool:
        """Whether so many more strings or arrays are read."""
        if kind == STRING:
            self.strings -= count
        else:
            self.arrays -= count
        return min(self.strings, self.arrays) >= 0


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the data of a GGUF file.

    Attributes
    ----------
    entries : dict of key to Entry
    tensors : dict of name to Tensor
    keys_end : int
        Where the last key-value ends, in bytes.
    end : int
        Where the description of the last tensor ends; the data start at the next multiple of `alignment`.
    alignment : int
    """

    entries: dict[str, Entry]
    tensors: dict[str, Tensor]
    keys_end: int
    end: int
    alignment: int

    @property
    def data_start(self) -> int:
        """Where the first tensor's data start, in bytes."""
        return -(-self.end // self.alignment) * self.alignment


def read_header(path: Path) -> Header:
    """The header of a file.

    Raises
    ------
    ConfigError
        Naming the file, what is wrong and at which byte.
    """
    with open_regular(path) as file:
        return header_of(file, path)


def header_of(file: BinaryIO, path: Path) -> Header:
    """The header of a file that is open."""
    return _header(BoundedFile(file, os.fstat(file.fileno()).st_size, str(path)))


def read_float32(path: Path, header: Header, name: str) -> list[float] | None:
    """The numbers of a small tensor; None where the file has none of that name."""
    tensor = header.tensors.get(name)
    if tensor is None:
        return None
    count = 1
    for extent in tensor.shape:
        count *= extent
    if tensor.kind != FLOAT32_TENSOR or not 0 < count <= _KEPT_NUMBERS:
        raise ConfigError(
            f"{path}: {name} has {count} elements of type {tensor.kind}; float32 (0) are expected, few of them"
        )
    with open_regular(path) as file:
        numbers = BoundedFile(file, os.fstat(file.fileno()).st_size, str(path))
        numbers.skip(header.data_start + tensor.offset, name)
        return _as_written(6, struct.unpack(f"<{count}f", numbers.take(4 * count, name)))


def _header(file: BoundedFile) -> Header:
    if file.remaining() < 4 or file.take(4, "the magic number") != MAGIC:
        raise file.error("not a GGUF file: GGUF is expected as its first bytes,")
    version = file.number("<I", "the version")
    if version not in (2, 3):
        swapped = " (big-endian files are not read)" if version & 0xFFFF == 0 else ""
        raise file.error(f"version {version} of GGUF; 2 or 3 is expected{swapped},")
    tensors = _counted(file, _MOST_TENSORS, "tensors", least_bytes=24)
    keys = _counted(file, _MOST_KEYS, "key-values", least_bytes=13)
    entries: dict[str, Entry] = {}
    left = _Left()
    for _ in range(keys):
        key = _text(file, _LONGEST_KEY, "a key")
        if key in entries:
            raise file.error(f"the key {key!r} a second time")
        entries[key] = _entry(file, key, left)
    keys_end = file.position
    described = _tensors(file, tensors)
    alignment = entries["general.alignment"].value if "general.alignment" in entries else 32
    if type(alignment) is not int or not 0 < alignment <= 2**20 or alignment % 8:
        raise file.error(f"general.alignment is {alignment!r}; a multiple of 8 is expected,")
    return Header(entries, described, keys_end, file.position, alignment)


def _counted(file: BoundedFile, most: int, what: str, least_bytes: int) -> int:
    count = file.number("<Q", f"the number of {what}")
    if count > most or count * least_bytes > file.remaining():
        raise file.error(f"{count} {what}; at most {min(most, file.remaining() // least_bytes)} can be there,")
    return count


def _text(file: BoundedFile, longest: int, what: str) -> str:
    length = file.number("<Q", f"the length of {what}")
    if length > longest:
        raise file.error(f"{what} of {length} bytes; at most {longest} are read,")
    return _decoded(file, length, what)


def _decoded(file: BoundedFile, length: int, what: str) -> str:
    try:
        return file.take(length, what).decode("utf-8")
    except UnicodeDecodeError:
        raise file.error(f"{what} that is not UTF-8,") from None


def _entry(file: BoundedFile, key: str, left: _Left) -> Entry:
    kind = file.number("<I", f"the type of {key}")
    start = file.position
    if kind in NUMBERS:
        value: Any = _numbers(file, kind, 1, key)[0]
    elif kind == STRING:
        value = _short_text(file, key)
    elif kind == ARRAY:
        value = _array(file, key, left, _DEEPEST)
    else:
        raise file.error(f"{key} is of type {kind}, which GGUF does not have,")
    return Entry(kind, value, start, file.position - start)


def _short_text(file: BoundedFile, key: str) -> str | None:
    """A string; None where it is a long one (a chat template), which is passed over."""
    length = file.number("<Q", f"the length of {key}")
    if length <= _KEPT_STRING:
        return _decoded(file, length, key)
    file.skip(length, key)
    return None


def _numbers(file: BoundedFile, kind: int, count: int, key: str) -> list[Any]:
    form = f"<{count}{NUMBERS[kind]}"
    return _as_written(kind, struct.unpack(form, file.take(struct.calcsize(form), key)))


def _as_written(kind: int, numbers: Sequence[Any]) -> list[Any]:
    """A float32 is given as the shortest decimal that is stored so, which is what its writer had: 0.0707, not 0.070700000971."""
    return [float(str(np.float32(number))) for number in numbers] if NUMBERS[kind] == "f" else list(numbers)


def _array(file: BoundedFile, key: str, left: _Left, deeper: int) -> list[Any] | None:
    kind = file.number("<I", f"the type of the elements of {key}")
    count = file.number("<Q", f"the number of elements of {key}")
    if kind in NUMBERS:
        if count <= min(_KEPT_NUMBERS, left.kept_numbers) and deeper == _DEEPEST:
            left.kept_numbers -= count
            return _numbers(file, kind, count, key)
        file.skip(count * struct.calcsize("<" + NUMBERS[kind]), key)
        return None
    if kind not in (STRING, ARRAY) or deeper == 0:
        raise file.error(f"{key} is an array of type {kind} at this depth, which is not read,")
    if not left.take(kind, count) or count * 8 > file.remaining():
        raise file.error(f"{key} has {count} elements; so many cannot be there, or are not read,")
    if kind == STRING:
        file.skip_strings(count, key)
    else:
        for _ in range(count):
            _array(file, key, left, deeper - 1)
    return None


def _tensors(file: BoundedFile, count: int) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for _ in range(count):
        name = _text(file, _LONGEST_NAME, "the name of a tensor")
        if name in found:
            raise file.error(f"the tensor {name!r} a second time")
        axes = file.number("<I", f"the number of axes of {name}")
        if axes > 8:
            raise file.error(f"{name} has {axes} axes; at most 8 are expected,")
        shape = struct.unpack(f"<{axes}Q", file.take(8 * axes, f"the shape of {name}"))
        kind, offset = struct.unpack("<IQ", file.take(12, f"the type and offset of {name}"))
        found[name] = Tensor(shape, kind, offset)
    return found
