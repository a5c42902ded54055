"""What a command is: a module with these three; and numbers of tokens as they are typed."""

import argparse
import math
import re
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console


class Command(Protocol):
    """A module of this folder."""

    SUMMARY: str
    """One line for the list of commands."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say what it does with an example, and what it takes."""

    def run(self, options: argparse.Namespace, console: "Console") -> int:
        """Do it and print to the console; returns the exit status.

        What a wrong call or file raises (ValueError, TypeError, OSError) is left to the caller.
        """


_GROUPED = re.compile(r"[0-9]{1,3}([,_][0-9]{3})+")
_IN_THOUSANDS = re.compile(r"([0-9]{1,9}) ?([kKmM])i?[bB]?")


def tokens(typed: str) -> int:
    """A number of tokens for argparse: 131072, 131,072, 131_072 or 1e6. 128k is two numbers, and is refused with both."""
    two = _IN_THOUSANDS.fullmatch(typed)
    if two is not None:
        power = "kM".index(two[2].upper().replace("K", "k")) + 1
        one, other = (int(two[1]) * thousand**power for thousand in (1000, 1024))
        raise argparse.ArgumentTypeError(f"{typed!r} may be {one} or {other}; a number of tokens is expected")
    plain = re.sub("[,_]", "", typed) if _GROUPED.fullmatch(typed) else typed
    try:
        number = float(plain)
        if math.isfinite(number) and number == int(number):
            return int(plain) if re.fullmatch(r"[+-]?[0-9]{1,300}", plain) else int(number)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"{typed[:60]!r} is no whole number; a number of tokens, such as 131072, is expected"
    )
