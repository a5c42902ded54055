"""yarncore plot: pictures of a rotary embedding."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from yarncore.commands.command import tokens
from yarncore.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

SUMMARY = "pictures: wavelengths, the ramp, methods side by side, decay of scores, exactness"
_EXAMPLES = """examples:
  yarncore plot wavelengths examples/configs/llama-2-7b-yarn-64k.json --out wavelengths.svg
  yarncore plot multipliers examples/configs/llama-2-7b-yarn-64k.json --scaling pi:16 ntk:16 --out multipliers.png
  yarncore plot decay examples/configs/yi-6b-200k.json --scaling yarn:4 --out decay.svg --json

kinds:
  wavelengths   tokens for one turn of each pair, before and after, and which pairs are kept, blended, interpolated
  ramp          how much of its frequency a pair keeps, by its turns within the original length
  multipliers   what each of several methods multiplies the frequency of a pair by
  decay         what bounds the score of q and k by their distance
  exactness     the largest error of cos and sin by position, of this package and of the usual code"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what it does with examples, and what it takes."""
    parser.description = "Draw what a scaling does, legible in black and white, as SVG, PNG or PDF."
    parser.epilog = _EXAMPLES
    parser.add_argument("kind", metavar="kind", help="wavelengths, ramp, multipliers, decay or exactness")
    parser.add_argument(
        "source", metavar="config", help="a config.json, GGUF file, folder or command line; -: read from a pipe"
    )
    parser.add_argument(
        "--scaling",
        nargs="+",
        default=[],
        metavar="NAME",
        help="drawn beside the model's own: plain, yarn:4, pi:4, ntk:8, ...",
    )
    parser.add_argument("--layer-type", help="which one, for models whose layers differ")
    parser.add_argument("--original-length", type=tokens, metavar="TOKENS", help="that it was trained for")
    parser.add_argument(
        "--length", type=tokens, metavar="TOKENS", help="that are to be read; default: what the scalings are made for"
    )
    parser.add_argument("--out", metavar="FILE", help="ends in .svg, .png or .pdf; default: the kind, as .svg")
    parser.add_argument("--json", action="store_true", help="say what was written for machines")


def run(options: argparse.Namespace, console: "Console") -> int:
    """Draw it; the exit status is 0."""
    from yarncore.reports.machine_readable import machine_readable
    from yarncore.reports.plotting import plot

    out = Path(f"{options.kind}.svg" if options.out is None else options.out)
    plot(
        options.kind, options.source, options.scaling,
        layer_type=options.layer_type, original_length=options.original_length, length=options.length, path=out,
    )  # fmt: skip
    if options.json:
        print(machine_readable("plot", {"kind": options.kind, "files": [str(out)]}))
    else:
        console.print(f"written: {printable(str(out))}", markup=False)
    return 0
