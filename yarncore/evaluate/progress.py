"""How far an evaluation is, and how long the rest will take."""

import sys
import time
from collections.abc import Callable
from typing import TextIO


class Progress:
    """A line on a terminal that is written anew, or a line now and then where the output is a file.

    Parameters
    ----------
    work : float
        All that is to be done: here tokens. The longest prompts come first and cost most a token, so that the time left is
        rather told too long than too short.
    stream : text file, optional
        Standard error by default.
    clock : callable, optional
        Seconds; time.monotonic by default.
    """

    def __init__(self, work: float, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.work, self.done = work, 0.0
        self._stream, self._clock = stream or sys.stderr, clock
        self._started, self._shown = clock(), float("-inf")
        self._measured = 0.0  # work done within this run: what a cache answered took no time

    def skip(self, work: float) -> None:
        """So much was done by an earlier run, and took no time in this one."""
        self.done += work

    def advance(self, work: float, what: str) -> None:
        """So much more is done."""
        self.done += work
        self._measured += work
        terminal, now = self._stream.isatty(), self._clock()
        if now - self._shown < (0.2 if terminal else 30.0) and self.done < self.work:
            return
        self._shown = now
        self._stream.write(f"\r\033[K{self.line(what)}" if terminal else f"{self.line(what)}\n")
        self._stream.flush()

    def line(self, what: str) -> str:
        """What is shown."""
        share = self.done / self.work if self.work else 1.0
        left = self.time_left
        told = "" if left is None else f", about {spoken(left)} left"
        return f"{share:4.0%} {spoken(self._clock() - self._started)}{told}  {what}"

    @property
    def time_left(self) -> float | None:
        """Seconds, from the work that this run has done; None before there is any."""
        if not self._measured:
            return None
        return (self._clock() - self._started) / self._measured * max(self.work - self.done, 0.0)

    def close(self) -> None:
        """Leave the terminal's line as it is and go to the next."""
        if self._stream.isatty():
            self._stream.write("\n")


def spoken(seconds: float) -> str:
    """Seconds as a person says them."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
