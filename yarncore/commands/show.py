"""yarncore show: what a model's long-context setting does."""

import argparse
from typing import TYPE_CHECKING

from yarncore.commands.command import tokens

if TYPE_CHECKING:
    from rich.console import Console

SUMMARY = "what a model's long-context setting does"
_EXAMPLES = """examples:
  yarncore show examples/configs/qwen2.5-7b-128k.json
  yarncore show examples/configs/deepseek-v3.json --length 65536 --json
  yarncore show - < examples/configs/llama-3.1-8b.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what it does with examples, and what it takes."""
    parser.description = (
        "Read a config.json, say what its rotary embedding does, and rotate q and k of the model's shape."
    )
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "source",
        help="a config.json, a folder that holds one, or a model in the hub's local cache; -: read from a pipe",
    )
    parser.add_argument("--layer-type", help="which one, for models whose layers differ")
    parser.add_argument("--length", type=tokens, help="tokens; default: the length the setting is made for")
    parser.add_argument(
        "--no-strict", action="store_true", help="warn of keys that are not understood instead of stopping"
    )
    parser.add_argument(
        "--download", action="store_true", help="fetch the config.json of a model that the hub has (owner/model)"
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def run(options: argparse.Namespace, console: "Console") -> int:
    """Print it; the exit status is 0."""
    from yarncore.configs.hub import downloaded
    from yarncore.reports.show import show

    source = downloaded(options.source) if options.download else options.source
    show(source, options.layer_type, options.length, not options.no_strict, options.json, console)
    return 0
