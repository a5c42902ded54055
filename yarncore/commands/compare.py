"""yarncore compare: two settings beside each other."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

SUMMARY = "two settings beside each other, key by key and number by number"
_EXAMPLES = """examples:
  yarncore compare examples/configs/llama-2-7b-yarn-64k.json examples/configs/llama-2-7b-yarn-64k.json
  yarncore compare examples/configs/yi-6b-200k.json yarn:4 --positions 199999 799999 || true
  yarncore compare examples/configs/deepseek-v2.json examples/configs/deepseek-v3.json --json || true

exit status: 0 the same numbers and the same length, 1 different, 2 where one of them cannot be read."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what it does with examples, and what it takes."""
    parser.description = (
        "Compare what two settings compute: method, scale, base, ramp, temperature, the angle of each pair, lengths. They may be\n"
        "of different formats: a file of transformers beside a GGUF file, or beside the command line of an engine."
    )
    parser.epilog = _EXAMPLES
    what = "a config.json, GGUF file, folder or command line; or a scaling for the other side's model, as yarn:4, ntk:8, plain"
    parser.add_argument("a", metavar="A", help=f"{what}; -: read from a pipe")
    parser.add_argument("b", metavar="B", help="the same")
    parser.add_argument(
        "--positions", nargs="+", type=int, metavar="POSITION",
        help="where angles are compared; default: the ends of the original length and of the longest",
    )  # fmt: skip
    parser.add_argument("--config", help="the model's own configuration, for command lines; default: the other side")
    parser.add_argument("--json", action="store_true", help="for machines: also the angles of every pair")


def run(options: argparse.Namespace, console: "Console") -> int:
    """Print it; the exit status is 1 where they differ."""
    from yarncore.reports.compare import print_comparison
    from yarncore.reports.comparison import compare
    from yarncore.reports.machine_readable import machine_readable

    found = compare(options.a, options.b, positions=options.positions, config=options.config)
    if options.json:
        print(machine_readable("compare", found.as_dict()))
    else:
        print_comparison(found, console)
    return 0 if found.same else 1
