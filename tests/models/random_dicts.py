"""Rope dicts drawn at random, in the file of every type of model: what the reader makes of each beside the model that runs.

python tests/models/random_dicts.py                       six files of each type, and writes random_dicts.json
python tests/models/random_dicts.py --each 20 llama glm   more files of some types; writes nothing
python tests/models/random_dicts.py --seed 7              other files

sweep.py tries each type in a few spellings; here the keys are combined as they come. A difference that the reader warns of, as a
finding, is counted by itself; any other fails the run.
"""

import argparse
import collections
import copy
import json
import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from facts import single_and_quiet
from rotary_classes import RotaryModel, text_models
from running import run
from spellings import config_from, spelled
from sweep import LENGTH, at_most, outcome
from tiny import tiny_config

RESULT = Path(__file__).with_name("random_dicts.json")
EACH, SEED = 6, 1
_SECONDS = 20
_METHODS = ("default", "linear", "dynamic", "yarn", "yarn", "yarn", "yarn", "llama3", "proportional")
_OF_YARN: dict[str, tuple[Any, ...]] = {
    "beta_fast": (32, 16, 64.0, 4), "beta_slow": (1, 2, 0.5), "mscale": (0, 1, 0.707, 1.3), "mscale_all_dim": (0, 1, 0.707, 1.3),
    "attention_factor": (1.0, 0.8, 1.4), "truncate": (True, False), "finetuned": (True,),
}  # fmt: skip
_LENGTHS = (32, 64, 4096, 16384)


def rope_dict(draw: random.Random, by_label: bool) -> dict[str, Any]:
    """Some method with some of its keys."""
    method = draw.choice(_METHODS)
    rope: dict[str, Any] = {"rope_type": method}
    if method != "default":
        rope["factor"] = draw.choice((1.0, 1.5, 2.0, 4.0, 8, 40.0))
    if method in ("yarn", "llama3"):
        rope["original_max_position_embeddings"] = draw.choice(_LENGTHS[:3])
    if method == "yarn":
        drawn = {key: draw.choice(values) for key, values in _OF_YARN.items() if draw.random() < 0.25}
        if (
            by_label
        ):  # transformers 5.24 reads it beside dicts of layer types alone: the doctor says so, the reader reads it
            drawn.pop("truncate", None)
        rope |= drawn
    if method == "llama3":
        rope |= {"low_freq_factor": draw.choice((1.0, 0.5)), "high_freq_factor": draw.choice((4.0, 8))}
    if draw.random() < 0.1:
        rope["partial_rotary_factor"] = draw.choice((0.5, 1.0))
    return rope


def with_dicts(draw: random.Random, file: dict[str, Any]) -> dict[str, Any]:
    """A file of transformers with other rope dicts than it has, by layer type where it has some, or one for all."""
    file = copy.deepcopy(file)
    own = file.pop("rope_parameters", None) or {}
    by_label = bool(own) and all(value is None or isinstance(value, dict) for value in own.values())
    if by_label and draw.random() < 0.6:
        file["rope_parameters"] = {label: value and _in_place_of(draw, value) for label, value in own.items()}
    else:
        kept = (
            {}
            if by_label
            else {key: own[key] for key in own if key.startswith("mrope") or key == "partial_rotary_factor"}
        )
        base = {"rope_theta": draw.choice((1e4, 2e4, 1e6))} if draw.random() < 0.7 else {}
        if draw.random() < 0.5:
            file["rope_parameters"] = {**kept, **rope_dict(draw, False), **base}
        else:
            file |= {"rope_scaling": {**kept, **rope_dict(draw, False)}, **base}
    file["max_position_embeddings"] = draw.choice(_LENGTHS)
    return file


def _in_place_of(draw: random.Random, own: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in own.items() if key.startswith("mrope") or key == "rope_theta"}
    return {**kept, **rope_dict(draw, True)}


def outcomes(model_type: str, rotary: RotaryModel, each: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What becomes of each file, and its keys of rotation."""
    draw = random.Random(f"{seed} {model_type}")  # the files of a type do not depend on which types are asked
    config = tiny_config(config_from(model_type, rotary))
    usual = spelled("file", config)
    for _ in range(each):
        file = with_dicts(draw, usual)
        shown = {key: file[key] for key in ("rope_parameters", "rope_scaling", "rope_theta") if key in file}
        shown["max_position_embeddings"] = file["max_position_embeddings"]
        try:
            with at_most(_SECONDS):
                layers = run(rotary, type(config).from_dict(copy.deepcopy(file)), LENGTH)
        except Exception:
            yield "not built", shown
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = outcome(file, layers, None, None)
        if found.startswith("differs") and any(getattr(one.message, "finding", False) for one in caught):
            found = "warned: " + found
        yield found, shown


def tried(types: list[str], each: int, seed: int) -> dict[str, Any]:
    """Counts of outcomes, and every file that is read otherwise than its model turns."""
    counts: collections.Counter[str] = collections.Counter()
    differing = []
    for model_type, rotary in text_models().items():
        if types and model_type not in types:
            continue
        try:
            for found, file in outcomes(model_type, rotary, each, seed):
                counts[found.partition(":")[0]] += 1
                if "differs" in found:
                    differing.append({"model_type": model_type, "outcome": found, "file": file})
        except Exception as error:
            counts["no model of its own configuration"] += 1
            print(f"{model_type}: {error}", file=sys.stderr)
    return {"counts": dict(sorted(counts.items())), "differing": differing}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=EACH)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("types", nargs="*")
    arguments = parser.parse_args()
    with single_and_quiet():
        found = tried(arguments.types, arguments.each, arguments.seed)
    versions = {"transformers": transformers.__version__, "torch": torch.__version__}
    result = {**versions, "each": arguments.each, "seed": arguments.seed, **found}
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if not arguments.types:
        RESULT.write_text(text)
    return int("differs" in found["counts"])


if __name__ == "__main__":
    sys.exit(main())
