"""The twelve kinds, both strategies, every scenario, against the slow reference: the whole of it.

python tests/transformers/dynamic_proof.py [--write] [kind ...]

prints the largest difference of any logit of any forward, relative to the largest logit, and with --write puts it into
dynamic_proof.json, of which the tests take a sample.
"""

import argparse
import contextlib
import itertools
import json
from pathlib import Path

import torch
from dynamic_runs import SCENARIOS, drafting, logits_of
from slow_reference import Reference
from transformers import DynamicCache
from twelve_kinds import KINDS
from whole_float64 import whole_float64

from yarncore.transformers import extend

PATH = Path(__file__).with_suffix(".json")
STRATEGIES = ("rerotated", "unrotated")
DTYPES = {"float64": torch.float64, "float32": torch.float32}
# float64: the reference itself is exact to some 1e-15 a layer. float32: what the model's own arithmetic leaves, of which
# every key that was re-rotated has one rounding more.
LIMITS = {"float64": 1e-12, "float32": 2e-5}


def difference(name: str, attention: str, scenario: str, dtype: str, strategy: str) -> float:
    """The largest difference of the logits of all forwards, relative to the largest logit."""
    kind = KINDS[name]
    with whole_float64() if dtype == "float64" else contextlib.nullcontext(), torch.no_grad():
        model = kind.make(attention, DTYPES[dtype])
        reference = Reference(model, kind.decoder(model), kind.rotaries, kind.functions)
        run, draft = SCENARIOS[scenario], drafting(model)
        with reference.running(), logits_of(model) as expected:
            run(model, reference.new_cache(), draft)
        extend(model, kind.scaling, replace=True, keys=strategy)
        with logits_of(model) as found:
            run(model, DynamicCache(config=model.config), draft)
    assert len(found) == len(expected) > 1
    largest = max(float(logits.abs().max()) for logits in expected)
    return max(float((a - b).abs().max()) for a, b in zip(found, expected, strict=True)) / largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("kinds", nargs="*")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    results = json.loads(PATH.read_text()) if PATH.exists() else {}
    for name in asked.kinds or KINDS:
        for how in itertools.product(KINDS[name].attentions, SCENARIOS, DTYPES, STRATEGIES):
            found = difference(name, *how)
            results.setdefault(name, {})[" ".join(how)] = float(f"{found:.1e}")
            mark = "" if found < LIMITS[how[2]] else "   ABOVE THE LIMIT"
            print(f"{name:<12} {' '.join(how):<40} {found:.1e}{mark}", flush=True)
        if asked.write:
            PATH.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
