"""yarncore doctor: what engines make of a configuration."""

import argparse
from typing import TYPE_CHECKING

from yarncore.commands.command import tokens

if TYPE_CHECKING:
    from rich.console import Console

SUMMARY = "what engines make of a configuration, and what is wrong with it"
_EXAMPLES = """examples:
  yarncore doctor examples/configs/gpt-oss-20b.json
  yarncore doctor examples/configs/deepseek-v3.json --engine vllm@0.33 sglang --json
  yarncore doctor "vllm serve model --max-model-len 131072" --config examples/configs/llama-3.1-8b.json

exit status: 0 without findings, 1 with, 2 where nothing can be read. Without --engine the file and transformers decide it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what it does with examples, and what it takes."""
    parser.description = (
        "Say what each engine computes from a configuration: which keys it uses, ignores or takes otherwise, its temperature, and "
        "the length that it serves. A finding is what makes an engine compute another thing than the model, or serve another "
        "length."
    )
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "source", nargs="?", help="a config.json, GGUF file, folder or command line; -: read from a pipe"
    )
    parser.add_argument(
        "--engine",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME[@VERSION]",
        help="these decide; may be repeated",
    )
    parser.add_argument("--config", help="the model's own configuration, for command lines")
    parser.add_argument("--format", help="insist on a format")
    parser.add_argument("--length", type=tokens, help="tokens that are to be served")
    parser.add_argument(
        "--download", action="store_true", help="fetch the config.json of a model that the hub has (owner/model)"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(wrong_call=parser.error)


def run(options: argparse.Namespace, console: "Console") -> int:
    """Print it; the exit status is 1 where there are findings."""
    from yarncore.configs.hub import downloaded
    from yarncore.reports.doctor import doctor

    source, engines = options.source, list(options.engine)
    if source is None and len(engines) > 1:  # --engine vllm CONFIG: the last word is no engine
        source = engines.pop()
    if source is None:
        options.wrong_call("the following arguments are required: source")
    source = downloaded(source) if options.download else source
    found = doctor(source, engines, options.config, options.format, options.length, options.json, console)
    return 1 if found else 0
