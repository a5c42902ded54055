"""yarncore plan: what to write so that a model reads further."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from yarncore._arguments import token_count
from yarncore.commands.command import tokens

if TYPE_CHECKING:
    from rich.console import Console

SUMMARY = "what to write so that a model reads further, and what that costs"
_EXAMPLES = """examples:
  yarncore plan examples/configs/qwen2.5-7b-128k.json --to 131072
  yarncore plan examples/configs/yi-6b-200k.json --to 400000 --engine vllm
  yarncore plan examples/configs/qwen3-8b-128k.json --lengths 2048:9500 32768:450 90000:50 --replace --json

exit status: 0; 2 where nothing can be read, or the engine cannot be told so."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what it does with examples, and what it takes."""
    parser.description = (
        "Find the smallest sufficient scale for a length; say what it does to each pair, to the logits, to short prompts and to\n"
        "the cache; print the keys or flags for the engine that is to serve it."
    )
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "source", metavar="config", help="the model's own config.json, GGUF file or folder; -: read from a pipe"
    )
    parser.add_argument(
        "--to", type=tokens, metavar="TOKENS", help="that are to be served; default: the longest of --lengths"
    )
    parser.add_argument(
        "--original-length", type=tokens, metavar="TOKENS",
        help="that it was trained for; default: the configuration's own, else a cited one, else what it advertises",
    )  # fmt: skip
    parser.add_argument(
        "--lengths", nargs="+", metavar="LENGTH:COUNT",
        help="of the prompts to be served, or a file: JSON, or a line LENGTH COUNT for each",
    )  # fmt: skip
    parser.add_argument(
        "--engine", metavar="NAME[@VERSION]", help="whose keys or flags are written; default: the format of the file"
    )
    parser.add_argument(
        "--replace", action="store_true", help="put a smaller s in the place of the file's own, where it suffices"
    )
    parser.add_argument(
        "--cache-dtype", default="bfloat16", help="float32, bfloat16, float16 or float8; default: bfloat16"
    )
    parser.add_argument("--write", metavar="FILE", help="write the whole configuration there, too")
    parser.add_argument(
        "--download", action="store_true", help="fetch the config.json of a model that the hub has (owner/model)"
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def run(options: argparse.Namespace, console: "Console") -> int:
    """Print the plan; the exit status is 0."""
    from yarncore.configs.hub import downloaded
    from yarncore.configs.saving import save
    from yarncore.reports.machine_readable import machine_readable
    from yarncore.reports.plan import print_plan
    from yarncore.reports.planning import plan
    from yarncore.reports.prompt_lengths import typed

    if options.to is None and options.lengths is None:
        raise ValueError("--to is missing; the tokens to be served, or --lengths of prompts, are expected")
    if options.source == "-" and options.lengths == ["-"]:
        raise ValueError("the configuration and --lengths are both -; standard input is read once")
    made = plan(
        downloaded(options.source) if options.download else options.source,
        None if options.to is None else token_count("--to", options.to),
        original_length=options.original_length,
        lengths=None if options.lengths is None else typed(options.lengths),
        engine=options.engine,
        replace=options.replace,
        cache_dtype=options.cache_dtype,
    )
    if options.write is not None:
        save(Path(options.write), made.engine.partition("@")[0], made.setting)
    if options.json:
        print(machine_readable("plan", made.as_dict()))
        return 0
    print_plan(made, console)
    return 0
