"""A file read by ranges, never further than its end and never more than a bound."""

import os
import stat
import struct
import sys
from pathlib import Path
from typing import BinaryIO

from yarncore.errors import ConfigError

_CHUNK = 2**16


def open_regular(path: Path, flags: int = os.O_RDONLY) -> BinaryIO:
    """A regular file, opened: nothing that blocks, never ends, or does something when it is opened.

    Parameters
    ----------
    flags : int
        O_RDONLY, or O_RDWR.

    Raises
    ------
    ConfigError
        Where it is a folder, a pipe, a device or a socket.
    OSError
        Where the file system says no.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        pipe = stat.S_ISFIFO(path.stat().st_mode) or str(path) == "/dev/stdin"
        raise ConfigError(f"{path}: not a regular file{'; a pipe is read as -, the standard input' * pipe}")
    # asked again of what was opened, without waiting: a pipe may have taken its place
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ConfigError(f"{path}: not a regular file")
    return os.fdopen(handle, "rb" if flags == os.O_RDONLY else "r+b")


def standard_input(most: int, what: str) -> bytes:
    """All that the standard input holds.

    Raises
    ------
    ConfigError
        Where that is more than `most` bytes, or it is closed.
    """
    if sys.stdin is None:
        raise ConfigError(f"standard input: it is closed; {what} is expected")
    raw = sys.stdin.buffer.read(most + 1)
    if len(raw) > most:
        raise ConfigError(f"standard input: more than {most} bytes; {what} of at most that is expected")
    return raw


class BoundedFile:
    """A position within a file, of which only the ranges that are asked for are read.

    Parameters
    ----------
    file : binary file, seekable
    size : int
        Its length in bytes.
    where : str
        Its name for messages.
    """

    def __init__(self, file: BinaryIO, size: int, where: str) -> None:
        self._file = file
        self._size = size
        self._where = where
        self._chunk = b""
        self._start = 0
        self.position = 0

    def error(self, what: str) -> ConfigError:
        """An error that names the file and the position."""
        return ConfigError(f"{self._where}: {what} at byte {self.position}")

    def remaining(self) -> int:
        """Bytes from here to the end."""
        return self._size - self.position

    def skip(self, count: int, what: str) -> None:
        """Go on by `count` bytes without reading them."""
        if count > self.remaining():
            raise self.error(f"cut off: {what} needs {count} bytes and {self.remaining()} are left")
        self.position += count

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes."""
        begin = self.position - self._start
        self.skip(count, what)
        if begin >= 0 and begin + count <= len(self._chunk):
            return self._chunk[begin : begin + count]
        self._start = self.position - count
        self._file.seek(self._start)
        self._chunk = self._file.read(max(count, _CHUNK))
        if len(self._chunk) < count:
            raise self.error(f"cut off within {what}")
        return self._chunk[:count]

    def number(self, form: str, what: str) -> int:
        """The next unsigned integer: "<I" or "<Q"."""
        (value,) = struct.unpack(form, self.take(struct.calcsize(form), what))
        return int(value)

    def skip_strings(self, count: int, what: str) -> None:
        """Go on by `count` strings, each a length of 8 bytes and that many bytes."""
        done = 0
        while done < count:
            chunk, at = self._chunk, self.position - self._start
            last = len(chunk) - 8
            while done < count and 0 <= at <= last:
                at += 8 + int.from_bytes(chunk[at : at + 8], "little")
                done += 1
            self.position = self._start + at
            if self.remaining() < 0:
                self.position = self._size
                raise self.error(f"cut off within {what}")
            if done < count:
                self.take(8, what)
                self.position -= 8
