"""The command line: the table of commands, and what all of them share."""

import argparse
import importlib
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from yarncore._arguments import did_you_mean
from yarncore._version import __version__
from yarncore.commands.command import Command
from yarncore.errors import ConfigWarning, need_packages, printable

if TYPE_CHECKING:
    from rich.console import Console

# A command more is a file in commands/ and its name here.
COMMANDS = ("compare", "doctor", "evaluate", "identify", "plan", "plot", "show", "verify")

_EPILOG = """examples:
  yarncore show examples/configs/qwen2.5-7b-128k.json
  yarncore doctor examples/configs/gpt-oss-20b.json --engine vllm
  yarncore show - --json < examples/configs/llama-3.1-8b.json

CONFIG is a config.json, a GGUF file, a folder, a command line of an engine, a name in the hub's local cache, or - for standard
input. Each command has --json, whose "schema" names its form and version; colours are for terminals, and NO_COLOR turns them off.

exit status: 0 done; 1 done, and the answer is no (doctor has findings); 2 a wrong call, or what cannot be read; 130 interrupted."""


class _Parser(argparse.ArgumentParser):
    """Takes whole words alone: what is a beginning of one option today may be one of two tomorrow."""

    for_machines = False
    """Whether an error is told as JSON too."""

    def __init__(self, **options: Any) -> None:
        options |= {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
        super().__init__(**options)

    def refuse(self, rest: Sequence[str]) -> NoReturn:
        """Exit for arguments that nobody took; a near miss is named."""
        word = next((each for each in rest if each.startswith("-")), rest[0])
        options = [option for action in self._actions for option in action.option_strings]
        hint = did_you_mean(word.partition("=")[0], options) if word.startswith("-") else ""
        self.error(f"{word} is not understood{hint}")

    def error(self, message: str) -> NoReturn:
        """Exit for a wrong call."""
        if self.for_machines:
            _print_failure("wrong call", message)
        super().error(message)


def _print_failure(kind: str, message: str) -> None:
    """The document of a command that failed; who reads its output learns why there, too."""
    from yarncore.reports.machine_readable import machine_readable

    print(machine_readable("error", {"kind": kind, "message": message}))


def _parser(names: Sequence[str], for_machines: bool) -> tuple[_Parser, dict[str, _Parser]]:
    """The parser, with those commands that can be meant: the others need not be imported."""
    parser = _Parser(
        prog="yarncore",
        description="Rotary embeddings past their trained length: read, explained, planned, written.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"yarncore {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    parsers = {}
    for name in names:
        command = load_command(name)
        parsers[name] = one = commands.add_parser(name, help=command.SUMMARY)
        command.add_arguments(one)
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
    for one in (parser, *parsers.values()):
        one.for_machines = for_machines
    return parser, parsers


def load_command(name: str) -> Command:
    """The module of a command."""
    module: Any = importlib.import_module(f"yarncore.commands.{name}")
    return module  # type: ignore[no-any-return]


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    typed = next((word for word in arguments if not word.startswith("-")), None)
    parser, parsers = _parser([typed] if typed in COMMANDS else COMMANDS, "--json" in arguments)
    if typed is not None and typed not in COMMANDS:
        parser.error(
            f"{typed!r} is no command; one of {', '.join(COMMANDS)} is expected{did_you_mean(typed, COMMANDS)}"
        )
    options, rest = parser.parse_known_args(arguments)
    if rest:
        parsers.get(str(options.command), parser).refuse(rest)
    if options.command is None:
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    return options


def _console(**options: Any) -> "Console":
    """Where people read."""
    from rich.console import Console

    class Told(Console):
        def on_broken_pipe(self) -> None:
            """rich ends the process with status 1, which says that a file has findings."""
            raise BrokenPipeError

    if os.environ.get("COLUMNS") == "0":  # a terminal that does not know its size; rich shows nothing in no columns
        options["width"] = 80
    return Told(soft_wrap=True, highlight=False, emoji=False, **options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the command's exit status, 2 for a wrong call or file, 130 when interrupted."""
    try:
        return _main(arguments)
    except KeyboardInterrupt:
        return 130


def _main(arguments: Sequence[str] | None) -> int:
    options = _parsed(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a letter that the terminal cannot show is no reason to say nothing
    try:
        need_packages("the command line", "cli", ("rich", "mpmath"))
    except ImportError as error:
        print(f"yarncore: {error}", file=sys.stderr)
        return 2
    errors = _console(stderr=True)

    def print_warning(message: Warning | str, category: type[Warning], *rest: object, **more: object) -> None:
        text = str(message)
        if issubclass(category, ConfigWarning):
            errors.print("[yellow]warning:[/] ", end="")
        errors.print(text, markup=False)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", ConfigWarning)
            warnings.showwarning = print_warning
            status = load_command(options.command).run(options, _console())
            if sys.stdout is not None:
                sys.stdout.flush()  # what cannot be written is an error here, not after the end
            return status
    except BrokenPipeError:  # the reader went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, OSError, ArithmeticError) as error:
        if options.debug:
            raise
        message = _in_words(error)
        errors.print(f"yarncore: {message}", markup=False)
        if getattr(options, "json", False):
            _print_failure(type(error).__name__, message)
        return 2


def _in_words(error: Exception) -> str:
    if isinstance(error, ArithmeticError):
        return f"a number is too large or too small to compute with ({error}); --debug shows where"
    return printable(str(error))


if __name__ == "__main__":
    sys.exit(main())
