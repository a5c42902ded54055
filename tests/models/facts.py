"""The reader's table of facts, yarncore/configs/huggingface/verified.json: written by running transformers' own modules.

python tests/models/facts.py --write              every type that rotates, anew
python tests/models/facts.py --write llama glm    only these rows
python tests/models/facts.py --check              what running says now, beside the file: status 1 where they differ
python tests/models/facts.py --check llama glm    only these rows

What cannot be seen by running is in read_in_class.py, and what is refused by name in refused.py.
"""

import argparse
import difflib
import json
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from composites import composites
from read_in_class import with_what_was_read
from refused import with_refusals
from rotary_classes import RotaryModel, text_models
from row import row_of
from running import NotRun
from towers import row_of_tower, towers

TABLE = Path(__file__).resolve().parents[2] / "yarncore" / "configs" / "huggingface" / "verified.json"


@contextmanager
def single_and_quiet() -> Iterator[None]:
    """One thread, so that sums have one order, and no word from transformers."""
    threads, level = torch.get_num_threads(), transformers.logging.get_verbosity()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            transformers.logging.set_verbosity(level)


def observed(only: Iterable[str] = ()) -> dict[str, Any]:
    """The row of each type, or of some; a type whose model does not run has none but that of its refusal."""
    wanted = set(only)
    models = {name: rotary for name, rotary in every_type().items() if not wanted or name in wanted}
    rows: dict[str, Any] = {}
    for name, rotary in models.items():
        try:
            rows[name] = row_of_tower(rotary) if name in towers() else row_of(name, rotary)
            print(f"{name}: run", file=sys.stderr)
        except NotRun as error:
            print(f"{name}: not run: {error}", file=sys.stderr)
    return with_refusals(with_what_was_read(rows), {name: rotary.source for name, rotary in models.items()})


def every_type() -> dict[str, RotaryModel]:
    """Models of text, and towers that look at pictures."""
    return {**text_models(), **towers()}


def text_of(table: dict[str, Any]) -> str:
    """One line for each fact, so that a difference shows which."""
    composed = ",\n".join(f"  {json.dumps(name)}: {json.dumps(of)}" for name, of in sorted(table["composites"].items()))
    types = ",\n".join(f"  {json.dumps(name)}: {_row_text(row)}" for name, row in sorted(table["types"].items()))
    version = json.dumps(table["transformers"])
    return f'{{\n "transformers": {version},\n "composites": {{\n{composed}\n }},\n "types": {{\n{types}\n }}\n}}\n'


def _row_text(row: dict[str, Any]) -> str:
    lines = ",\n".join(f"    {json.dumps(key)}: {json.dumps(row[key], sort_keys=True)}" for key in sorted(row))
    return f"{{\n{lines}\n  }}"


def table_with(only: list[str]) -> dict[str, Any]:
    """The table as running makes it; where only some types are asked, the others as they stand."""
    rows = observed(only)
    if only:
        rows = {**{name: row for name, row in committed()["types"].items() if name not in only}, **rows}
    return {"transformers": transformers.__version__, "composites": composites(), "types": rows}


def committed() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true")
    what.add_argument("--check", action="store_true")
    parser.add_argument("types", nargs="*")
    arguments = parser.parse_args()
    unknown = set(arguments.types) - set(every_type())
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: no model of transformers {transformers.__version__} that rotates")
    with single_and_quiet():
        text = text_of(table_with(arguments.types))
    if arguments.write:
        TABLE.write_text(text, "utf-8")
        return 0
    old = TABLE.read_text("utf-8")
    sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), text.splitlines(True), str(TABLE), "as run now"))
    return int(old != text)


if __name__ == "__main__":
    sys.exit(main())
