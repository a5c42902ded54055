"""yarncore identify: what a table rotates by."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

SUMMARY = "what a table of frequencies, or of cos and sin, is"
_EXAMPLES = """examples:
  yarncore identify examples/tables/gpt-oss-20b.json
  yarncore identify examples/tables/litgpt-yarn.json --json
  yarncore identify - < examples/tables/qwen2.5-7b-128k.json

exit status: 0 it is known, 1 nothing known has these numbers, 2 where there is no table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what it does with examples, and what it takes."""
    parser.description = (
        "Say what made a table: method, factor, base, ramp, temperature, layout, how its angles were made. What several\n"
        "settings make alike is listed, the one with standard values first."
    )
    parser.epilog = _EXAMPLES
    add_table(parser)
    parser.add_argument(
        "--method", choices=["LongRoPE"], help="insist on it: any table is LongRoPE of some divisors of --base"
    )
    parser.add_argument("--base", type=float, default=10_000.0, help="of --method; default: 10000")
    parser.add_argument("--json", action="store_true", help="for machines")


def add_table(parser: argparse.ArgumentParser) -> None:
    """What says where a table is."""
    parser.add_argument(
        "table",
        help="a .npy, .npz, JSON or safetensors file: inverse frequencies, or cos and sin by position; -: read from a pipe",
    )
    parser.add_argument("--key", help="which array of a file with several; COS,SIN for two")
    parser.add_argument("--first-position", type=int, default=0, help="of the first row of cos and sin; default: 0")


def run(options: argparse.Namespace, console: "Console") -> int:
    """Print it; the exit status is 1 where nothing known has these numbers."""
    from yarncore.identification.files import load_table
    from yarncore.identification.recognition import identify
    from yarncore.reports.machine_readable import machine_readable

    table = load_table(options.table, options.key)
    found = identify(
        table, positions=positions_of(table, options.first_position), method=options.method, base=options.base
    )
    if options.json:
        print(machine_readable("identify", found.as_dict()))
    else:
        console.print(str(found), markup=False)
    return 0 if found.readings else 1


def positions_of(table: object, first: int) -> object:
    """Those of the rows, where the first one is not 0."""
    import numpy as np

    if first == 0:
        return None
    rows = np.asarray(table[0] if isinstance(table, tuple) else table).shape[-2:]
    if len(rows) < 2:
        raise ValueError(f"--first-position is {first}, and the table holds frequencies, which have no position")
    return np.arange(first, first + rows[0])
