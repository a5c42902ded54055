"""Losses that are kept as they come: a file of lines, of which the last may be half written."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any

Place = tuple[str, str, int, int]


class KeptLosses:
    """A mapping of (kind, document, length, end) to what was computed there, on disk.

    Parameters
    ----------
    path : Path
        The name must tell apart all that decides a loss but its place: weights, rope, dtype, texts.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = 0
        self._found: dict[Place, Any] = {}
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            if not line.endswith(b"\n"):
                break  # the process was killed within it
            place, value = json.loads(line)
            self._found[tuple(place)] = value
            whole += len(line)
        self._file = path.open("ab")
        self._file.truncate(whole)

    def __enter__(self) -> "KeptLosses":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __contains__(self, place: Place) -> bool:
        return place in self._found

    def __getitem__(self, place: Place) -> Any:
        return self._found[place]

    def __setitem__(self, place: Place, value: Any) -> None:
        self._found[place] = value
        self._file.write(json.dumps([place, value]).encode() + b"\n")
        self._file.flush()
