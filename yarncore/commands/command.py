"""What a command is: a module with these three."""

import argparse
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
