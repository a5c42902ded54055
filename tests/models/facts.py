"""Writes down what transformers' models do beyond the keys of their files, by running each of them.

python tests/models/facts.py observed.json              every type that rotates
python tests/models/facts.py observed.json llama glm    only these

The package's table (yarncore/configs/huggingface/verified.json) holds the same facts in the shape that the reader asks for;
bringing them into it is not a part of this command yet. sweep.py holds that table to the running models.
"""

import argparse
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
    parser.add_argument("file", type=Path)
    parser.add_argument("types", nargs="*")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    arguments.file.write_text(text_of(table(arguments.types)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
