"""Configurations of every format, mutated by what they are made of: keys, numbers, words, nesting, bytes.

python tests/fuzz/mutated.py --count 100000      prints how they end, and writes tests/fuzz/result.json
"""

import argparse
import collections
import contextlib
import copy
import json
import random
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "doctor")]

from golden_files import golden  # noqa: E402
from mistakes import MISTAKES  # noqa: E402

import yarncore as yc  # noqa: E402
from yarncore.reports.diagnosis import diagnose  # noqa: E402

RESULT = Path(__file__).with_name("result.json")
_STRANGE = (
    None, True, False, 0, 1, -1, 2, 3, 64, 127, 2**31, 2**53, 2**63, 2**70, -(2**70), 0.0, -0.0, 0.5, 1e-300, 1e300, float("nan"),
    float("inf"), "", "yarn", "4.0", "default", "\ud800", "x" * 10000, [], [None], [1.0] * 3, [[]], {}, {"rope_type": "yarn"},
    [1.0] * 64, ["full_attention"] * 3, {"full_attention": None}, {"": {}},
)  # fmt: skip
_FLAGS = (
    "",
    "-1",
    "0",
    "nan",
    "1e400",
    "{",
    "{}",
    '{"rope_parameters": []}',
    '{"rope_scaling": {"factor": "x"}}',
    "--",
    "x" * 5000,
)


def seeds() -> list[tuple[Any, Any]]:
    """Configurations and command lines that are read, each with the model's own where it needs one."""
    found: list[tuple[Any, Any]] = [(record["config"], None) for record in golden("published")["records"]]
    found += [(record["config"], None) for record in golden("hf")["records"]]
    for mistake in MISTAKES:
        found += [(mistake.wrong, mistake.config), (mistake.right, mistake.config)]
    names = ("deepseek-ai/DeepSeek-V3", "openai/gpt-oss")
    found += [(record["config"], None) for record in golden("engines")["records"] if record["engine"] in names]
    params = [r["input"]["params_json"] for r in golden("engines_executed")["records"] if "params_json" in r["input"]]
    return found + [(one, None) for one in params]


def mutated(seed: Any, generator: random.Random) -> Any:
    """A configuration with one to three things changed."""
    if isinstance(seed, str):
        words = seed.split(" ")
        for _ in range(generator.randint(1, 2)):
            at = generator.randrange(len(words))
            words[at : at + 1] = generator.choice(([], [generator.choice(_FLAGS)], [words[at], words[at]]))
        return " ".join(words) if generator.random() < 0.5 else words
    result = copy.deepcopy(seed)
    for _ in range(generator.randint(1, 3)):
        _change(result, generator)
    return result


def _change(mapping: Any, generator: random.Random) -> None:
    while True:
        inner = [value for value in mapping.values() if isinstance(value, dict) and value]
        if not inner or generator.random() < 0.4:
            break
        mapping = generator.choice(inner)
    if not mapping:
        return
    key = generator.choice(list(mapping))
    how = generator.random()
    if how < 0.45:
        mapping[key] = generator.choice(_STRANGE)
    elif how < 0.6:
        del mapping[key]
    elif how < 0.7:
        mapping[str(key)[:-1] or "x"] = mapping.pop(key)
    elif how < 0.8:
        mapping[key] = mapping[generator.choice(list(mapping))]
    elif how < 0.9 and isinstance(mapping[key], (int, float)) and not isinstance(mapping[key], bool):
        mapping[key] = mapping[key] * generator.choice((-1, 0.5, 2, 1e6, 1e-6))
    else:
        mapping[generator.choice(("rope_type", "type", "factor", "rope_theta", "truncate", "mscale"))] = (
            generator.choice(_STRANGE)
        )


def outcome(source: Any, config: Any, strict: bool, more: bool) -> str:
    """read, refused, not recognised, or the name of anything else that is raised.

    `more`: what is read is also written, and diagnosed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            warnings.simplefilter("ignore", yc.ConfigWarning)
            ropes = yc.ropes_from_config(source, strict=strict, config=config)
            if more:
                diagnose(source, [], config)
                with contextlib.suppress(yc.ConfigError):
                    yc.to_config(ropes, config=source if config is None and "model_type" in source else None)
        return "read"
    except yc.ConfigError as error:
        return "not recognised" if "not recognised as one of" in str(error) else "refused"
    except FileNotFoundError:
        return "no such file" if isinstance(source, str) else "FileNotFoundError"
    except ValueError as error:
        return "no such file" if "config is given" in str(error) else type(error).__name__
    except Exception as error:
        return type(error).__name__


EXPECTED = {"read", "refused", "not recognised", "no such file"}


def run(count: int, number: int) -> tuple[collections.Counter[str], list[tuple[Any, Any, str]]]:
    """How `count` mutated configurations end, and those that end otherwise than they may."""
    generator, all_seeds = random.Random(number), seeds()
    found: collections.Counter[str] = collections.Counter()
    crashes = []
    for _ in range(count):
        seed, config = generator.choice(all_seeds)
        source = mutated(seed, generator)
        other = config if config is None or generator.random() < 0.7 else mutated(config, generator)
        how = outcome(source, other, generator.random() < 0.5, generator.random() < 0.1)
        found[how] += 1
        if how not in EXPECTED:
            crashes.append((source, other, how))
    return found, crashes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--number", type=int, default=1, help="of the sequence of random numbers")
    arguments = parser.parse_args()
    start = time.monotonic()
    found, crashes = run(arguments.count, arguments.number)
    reached = (found["read"] + found["refused"]) / arguments.count
    print(dict(found), f"{100 * reached:.1f} % reach a reader, {time.monotonic() - start:.0f} s")
    for source, config, how in crashes[:5]:
        print(how, repr(source)[:2000], repr(config)[:500])
        try:
            yc.ropes_from_config(source, strict=False, config=config)
        except Exception:
            traceback.print_exc()
    RESULT.write_text(
        json.dumps(
            {"count": arguments.count, "number": arguments.number, "ends": dict(sorted(found.items()))}, indent=1
        )
        + "\n"
    )
    return int(bool(crashes))


if __name__ == "__main__":
    sys.exit(main())
