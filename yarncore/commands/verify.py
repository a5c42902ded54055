"""yarncore verify: whether a table is what a configuration says."""

import argparse
from typing import TYPE_CHECKING

from yarncore.commands.command import tokens
from yarncore.commands.identify import add_table, positions_of

if TYPE_CHECKING:
    from rich.console import Console

SUMMARY = "whether a table is what a configuration says"
_EXAMPLES = """examples:
  yarncore verify examples/tables/gpt-oss-20b.json examples/configs/gpt-oss-20b.json --layer-type full_attention
  yarncore verify examples/tables/litgpt-yarn.json examples/configs/qwen2.5-7b-128k.json || true
  yarncore verify - examples/configs/qwen2.5-7b-128k.json --json < examples/tables/qwen2.5-7b-128k.json

exit status: 0 it matches, 1 it does not, 2 where one of them cannot be read."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what it does with examples, and what it takes."""
    parser.description = (
        "Compare a table that an engine made with what a configuration says, and say why they differ: which pairs, by how many\n"
        "radians, what it is instead, a temperature that is missing or there twice, rounded positions."
    )
    parser.epilog = _EXAMPLES
    add_table(parser)
    parser.add_argument("config", help="a config.json, GGUF file, folder or command line")
    parser.add_argument("--layer-type", help="which one, for models whose layers differ")
    parser.add_argument("--length", type=tokens, help="for methods that look at the length")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(options: argparse.Namespace, console: "Console") -> int:
    """Print it; the exit status is 1 where the table is another."""
    from yarncore.configs.dialects import from_config
    from yarncore.identification.files import load_table
    from yarncore.identification.verification import verify
    from yarncore.reports.machine_readable import machine_readable

    if options.table == options.config == "-":
        raise ValueError("table and config are both -, the standard input; one of them is expected to be a file")
    rope = from_config(options.config, options.layer_type)
    table = load_table(options.table, options.key)
    found = verify(table, rope, length=options.length, positions=positions_of(table, options.first_position))
    if options.json:
        print(machine_readable("verify", found.as_dict()))
    else:
        console.print(str(found), markup=False)
    return 0 if found.matches else 1
