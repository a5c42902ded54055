"""The command line."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from yarncore._version import __version__
from yarncore.errors import ConfigWarning


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yarncore", description="Rotary embeddings past their trained length.")
    parser.add_argument("--version", action="version", version=f"yarncore {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    show = commands.add_parser(
        "show",
        help="what a model's long-context setting does",
        description="Read a config.json, say what its rotary embedding does, and rotate q and k of the model's shape.",
        epilog="example: yarncore show examples/configs/qwen2.5-7b-128k.json",
    )
    show.add_argument("source", help="a config.json, or a folder that holds one; -: read from a pipe")
    show.add_argument("--layer-type", help="which one, for models whose layers differ")
    show.add_argument("--length", type=int, help="tokens; default: the length the setting is made for")
    show.add_argument(
        "--no-strict", action="store_true", help="warn of keys that are not understood instead of stopping"
    )
    show.add_argument("--json", action="store_true", help="for machines")
    show.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 2 for a wrong call or file, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        import mpmath  # noqa: F401
        from rich.console import Console

        from yarncore.reports.show import show
    except ModuleNotFoundError as error:
        print(f"yarncore: the command line needs {error.name}: pip install 'yarncore[cli]'", file=sys.stderr)
        return 2
    errors = Console(stderr=True, soft_wrap=True, highlight=False)

    def print_warning(message: Warning | str, category: type[Warning], *rest: object, **more: object) -> None:
        errors.print(f"[yellow]warning:[/] {message}" if issubclass(category, ConfigWarning) else str(message))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", ConfigWarning)
            warnings.showwarning = print_warning
            console = Console(soft_wrap=True, highlight=False)
            show(options.source, options.layer_type, options.length, not options.no_strict, options.json, console)
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
