"""Files that hold tables -> what identify takes: .npy, .npz, JSON and safetensors, known by their first bytes."""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from yarncore.configs.containers.bounded_file import open_regular, standard_input
from yarncore.errors import need_packages

_LARGEST = 512 * 2**20  # a table of 2 million positions in float32
_NPY = b"\x93NUMPY"
_FREQUENCIES = ("inv_freq", "inverse_frequencies")
_NAMES = "cos and sin, inv_freq or inverse_frequencies"


def load_table(source: str, key: str | None = None) -> Any:
    """What a file holds, as identify takes it; "-" is the standard input.

    Parameters
    ----------
    key : str, optional
        Which entry of a file with several is meant; of two with a comma between them the first is cos and the second sin.

    Raises
    ------
    ValueError
        Where it holds no table, or several.
    OSError
        Where the file system says no.
    """
    where = "standard input" if source == "-" else source
    raw = standard_input(_LARGEST, "a table") if source == "-" else _of_file(Path(source), where)
    try:
        found = _parsed(raw, where)
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, MemoryError) as error:
        if str(error).startswith(where):
            raise
        raise ValueError(f"{where}: {error}") from None
    return _chosen(found, key, where)


def _of_file(path: Path, where: str) -> bytes:
    if path.is_dir():
        raise ValueError(f"{where}: a folder; a file with a table is expected")
    with open_regular(path) as file:
        return _read(file, where)


def _read(file: BinaryIO, where: str) -> bytes:
    raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ValueError(f"{where}: more than {_LARGEST} bytes; a table of that size or less is expected")
    return raw


def _parsed(raw: bytes, where: str) -> Any:
    if raw.startswith(_NPY):
        return _of_npy(raw)
    if raw.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(each.file_size for each in archive.infolist()) > _LARGEST:
                raise ValueError(f"unpacks to more than {_LARGEST} bytes")
            parts = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
        return {name: _of_npy(part) for name, part in parts.items() if part.startswith(_NPY)}
    if len(raw) > 8 and raw[8:9] == b"{":
        return _of_safetensors(raw)
    try:
        return json.loads(raw.decode(json.detect_encoding(raw)))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"neither .npy, .npz, safetensors nor JSON: {error}") from None


def _of_npy(raw: bytes) -> Any:
    """What .npy bytes hold, after a look at what their header wants to have allocated."""
    file = io.BytesIO(raw)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    wanted, there = math.prod(shape) * dtype.itemsize, len(raw) - file.tell()
    if not dtype.hasobject and not 0 <= wanted <= there:
        raise ValueError(f"its header says shape {shape} of {dtype}, {wanted} bytes, and {there} are there")
    return np.load(io.BytesIO(raw), allow_pickle=False)


def _of_safetensors(raw: bytes) -> dict[str, Any]:
    need_packages("reading safetensors", "transformers", ("safetensors",))
    import safetensors

    try:
        held = safetensors.deserialize(raw)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise ValueError(f"not valid safetensors: {error}") from None
    return {name: _of_bytes(part) for name, part in held if part["dtype"] in _DTYPES}


_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def _of_bytes(part: Mapping[str, Any]) -> Any:
    values = np.frombuffer(part["data"], dtype=_DTYPES[part["dtype"]]).reshape(part["shape"])
    if part["dtype"] == "BF16":  # the upper half of a float32
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values


def _chosen(found: Any, key: str | None, where: str) -> Any:
    if not isinstance(found, Mapping):
        if key is not None:
            raise ValueError(f"{where}: holds one array, and --key {key} is given")
        return found if isinstance(found, np.ndarray) else _array(found, where)
    arrays: dict[str, Any] = {str(name): value for name, value in found.items()}
    if not arrays:
        raise ValueError(f"{where}: holds no arrays of numbers that are read ({_NAMES} are looked for)")
    if key is not None:
        names = key.split(",")
        for name in names:
            if name not in arrays:
                raise ValueError(f"{where}: no {name!r}; {_listed(arrays)} are there")
        parts = [_array(arrays[name], where) for name in names]
        return parts[0] if len(parts) == 1 else tuple(parts)
    if {"cos", "sin"} <= set(arrays):
        return _array(arrays["cos"], where), _array(arrays["sin"], where)
    named = [name for name in arrays if name.rpartition(".")[2] in _FREQUENCIES]
    distinct = {np.asarray(_array(arrays[name], where)).tobytes() for name in named}
    if named and len(distinct) == 1:
        return _array(arrays[named[0]], where)
    if len(arrays) == 1:
        return _array(next(iter(arrays.values())), where)
    raise ValueError(
        f"{where}: {_listed(arrays)}; choose with --key, one name or those of cos and sin with a comma ({_NAMES} are found)"
    )


def _listed(arrays: Mapping[str, Any]) -> str:
    names = [repr(name) for name in list(arrays)[:12]]
    return ", ".join(names) + (f" and {len(arrays) - 12} more" if len(arrays) > 12 else "")


def _array(value: Any, where: str) -> Any:
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{where}: lists of different lengths; a table is expected") from None
    if array.dtype.kind not in "fiuc":
        raise ValueError(f"{where}: holds no numbers; a list of them, or an object with {_NAMES}, is expected")
    return array


__all__ = ["load_table"]
