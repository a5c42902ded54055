"""yarncore evaluate: how far a model really reads."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yarncore.commands.command import tokens
from yarncore.errors import need_packages
from yarncore.evaluate.needles import KINDS

if TYPE_CHECKING:
    from rich.console import Console

SUMMARY = "how far a model really reads: needles by depth and length, perplexity by length and position"
_EXAMPLES = """examples:
  yarncore evaluate MODEL_FOLDER --lengths 512 768 --depths 0 0.5 1 --scaling as-is yarn:4 dynamic-yarn
  yarncore evaluate MODEL_FOLDER --lengths 512 1024 --needles --texts yarncore/scaling --stride 128 --scaling plain yarn:2
  yarncore evaluate --task-folder

A run that was stopped goes on when it is called again with the same --out: answers are kept by model, tokenizer, rope,
dtype and prompt, and never serve another one.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what it does with examples, and what it takes."""
    parser.description = (
        "Hide needles in texts of exact lengths and ask a model for them, by lm-evaluation-harness; measure its perplexity by\n"
        "length with sliding windows, and its loss by position. Prints a table, writes JSON and pictures."
    )
    parser.epilog = _EXAMPLES
    parser.add_argument("model", nargs="?", help="a folder with a model of transformers and its tokenizer")
    parser.add_argument(
        "--task-folder", action="store_true", help="print the folder for `lm_eval --include_path`, and stop"
    )
    parser.add_argument(
        "--scaling", nargs="+", default=["as-is"], metavar="NAME",
        help="as-is (the default), plain, or as yarn:4, yarn:4,beta_fast=16, dynamic-yarn, pi:4, ntk:4, ntk-by-parts:4, "
        "dynamic-pi, dynamic-ntk",
    )  # fmt: skip
    parser.add_argument("--original-length", type=tokens, help="tokens that it was trained for; default: its config's")
    _add_what(parser.add_argument_group("what is asked"))
    _add_how(parser.add_argument_group("how"))


def _add_what(asked: Any) -> None:
    asked.add_argument(
        "--lengths", nargs="+", type=tokens, metavar="TOKENS", help="of prompts with what is generated, and of windows"
    )
    asked.add_argument(
        "--depths", nargs="+", type=float, default=[0.0, 0.25, 0.5, 0.75, 1.0], metavar="DEPTH",
        help="where needles lie: 0 the beginning, 1 the end; default: 0 0.25 0.5 0.75 1",
    )  # fmt: skip
    asked.add_argument(
        "--needles", nargs="*", default=["passkey"], metavar="KIND",
        help=f"of {', '.join(KINDS)}; default: passkey; without a name: no needles",
    )  # fmt: skip
    asked.add_argument("--samples", type=int, default=1, help="prompts a cell; default: 1")
    asked.add_argument("--seed", type=int, default=0, help="of the prompts; default: 0")
    asked.add_argument("--haystack", help="a file or folder of texts to hide needles in; default: repeated sentences")
    asked.add_argument("--texts", help="a file or folder of texts for perplexity; without it none is measured")
    asked.add_argument("--stride", type=int, default=256, help="tokens between windows, the paper's S; default: 256")
    asked.add_argument("--windows", type=int, default=8, help="windows of a length in a text, at most; default: 8")


def _add_how(how: Any) -> None:
    how.add_argument(
        "--out", default="evaluation", help="folder of the report and of what is kept; default: evaluation"
    )
    how.add_argument(
        "--dtype", default="auto", help="of the weights: float32, bfloat16, ...; default: as they are saved"
    )
    how.add_argument("--device", help="default: a GPU if there is one, else cpu")
    how.add_argument("--json", action="store_true", help="print the report for machines in the place of tables")
    how.add_argument("--batch-size", type=int, default=1, help="prompts at a time, always of one length; default: 1")


def run(options: argparse.Namespace, console: "Console") -> int:
    """Evaluate, print tables, write the report; the exit status is 0."""
    if options.task_folder:
        from yarncore.evaluate import TASKS

        console.print(str(TASKS), soft_wrap=True)
        return 0
    for name in ("model", "lengths"):
        if getattr(options, name) is None:
            raise ValueError(
                f"{'--lengths' if name == 'lengths' else 'a model folder'} is missing; see yarncore evaluate --help"
            )
    # Our own line tells how far it is; read when tqdm is imported.
    os.environ.setdefault("TQDM_DISABLE", "1")
    from yarncore.reports.evaluated import tables
    from yarncore.reports.machine_readable import machine_readable

    report, files = _evaluated(options)
    if options.json:
        print(machine_readable("evaluate", report | {"files": [str(path) for path in files]}))
        return 0
    for table in tables(report):
        console.print(table)
    console.print("written: " + ", ".join(str(path) for path in files))
    return 0


def _evaluated(options: argparse.Namespace) -> tuple[dict[str, Any], list[Path]]:
    need_packages("evaluating", "evaluate", ("torch", "transformers", "lm_eval", "datasets", "matplotlib"))
    from yarncore.evaluate.asked import evaluate_folder

    return evaluate_folder(options)
