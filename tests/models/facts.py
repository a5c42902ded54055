"""Writes what transformers' models do beyond the keys of their files into the package, by running each of them.

python tests/models/facts.py --write            the whole table
python tests/models/facts.py --check            how a table made now differs from the one in the package
python tests/models/facts.py --check llama glm  only these types
"""

import argparse
import difflib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from asking import facts_of
from rotary_classes import text_models
from running import NotRun

TABLE = Path(__file__).resolve().parents[2] / "yarncore" / "configs" / "huggingface" / "verified.json"


def table(only: list[str]) -> dict[str, Any]:
    types: dict[str, Any] = {}
    not_run: dict[str, str] = {}
    for model_type, rotary in text_models().items():
        if only and not any(word in model_type for word in only):
            continue
        try:
            types[model_type] = facts_of(rotary)
        except NotRun as error:
            not_run[model_type] = str(error)
        except Exception as error:
            not_run[model_type] = f"asking it fails: {type(error).__name__}: {error}"
        print(f"{model_type}: {'not run: ' + not_run[model_type] if model_type in not_run else 'run'}", file=sys.stderr)
    return {"transformers": transformers.__version__, "types": types, "not_run": not_run}


def text_of(facts: dict[str, Any]) -> str:
    """One line for each fact, so that a difference shows which."""
    lines = [f'{{"transformers": {json.dumps(facts["transformers"])},', '"types": {']
    blocks = []
    for name, entry in sorted(facts["types"].items()):
        rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in entry.items())
        blocks.append(f"{json.dumps(name)}: {{\n{rows}}}")
    not_run = ",\n".join(f"{json.dumps(name)}: {json.dumps(why)}" for name, why in sorted(facts["not_run"].items()))
    return "\n".join([*lines, ",\n".join(blocks), "},", '"not_run": {', not_run, "}}"]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true")
    mode.add_argument("--check", action="store_true")
    parser.add_argument("types", nargs="*")
    arguments = parser.parse_args()
    if arguments.write and arguments.types:
        parser.error("the table is written whole")
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    facts = table(arguments.types)
    if arguments.write:
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(text_of(facts))
        return 0
    committed = json.loads(TABLE.read_text())
    if arguments.types:
        for part in ("types", "not_run"):
            committed[part] = {name: entry for name, entry in committed[part].items() if name in facts["types"]}
    found = list(
        difflib.unified_diff(text_of(committed).splitlines(), text_of(facts).splitlines(), "committed", "now", n=0)
    )
    print("\n".join(found) or "no difference")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
