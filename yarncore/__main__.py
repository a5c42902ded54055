"""The command line: the table of commands, and what all of them share."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from yarncore._version import __version__
from yarncore.commands import doctor, evaluate, show
from yarncore.commands.command import Command
from yarncore.errors import ConfigWarning

# A command more is a file in commands/ and a row here.
COMMANDS: dict[str, Command] = {"doctor": doctor, "evaluate": evaluate, "show": show}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yarncore", description="Rotary embeddings past their trained length.")
    parser.add_argument("--version", action="version", version=f"yarncore {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.SUMMARY)
        command.add_arguments(one)
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the command's exit status, 2 for a wrong call or file, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        import mpmath  # noqa: F401
        from rich.console import Console
        from rich.markup import escape
    except ModuleNotFoundError as error:
        print(f"yarncore: the command line needs {error.name}: pip install 'yarncore[cli]'", file=sys.stderr)
        return 2
    errors = Console(stderr=True, soft_wrap=True, highlight=False)

    def print_warning(message: Warning | str, category: type[Warning], *rest: object, **more: object) -> None:
        told = escape(str(message))
        errors.print(f"[yellow]warning:[/] {told}" if issubclass(category, ConfigWarning) else told)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", ConfigWarning)
            warnings.showwarning = print_warning
            return COMMANDS[options.command].run(options, Console(soft_wrap=True, highlight=False))
    except BrokenPipeError:  # the reader went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (ValueError, TypeError, OSError) as error:
        if options.debug:
            raise
        errors.print(f"yarncore: {error}", markup=False)
        return 2


if __name__ == "__main__":
    sys.exit(main())
