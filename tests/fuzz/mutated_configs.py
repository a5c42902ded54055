"""Configurations of every format but GGUF, mutated by what they are made of: keys, numbers, words, nesting, and the bytes of files."""

import copy
import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "doctor")]

from golden_files import golden  # noqa: E402
from mistakes import MISTAKES  # noqa: E402


def _deep(levels: int) -> Any:
    """Dicts within lists within dicts."""
    made: Any = 1.0
    for _ in range(levels):
        made = [{"factor": made}]
    return made


_STRANGE = (
    None, True, False, 0, 1, -1, 2, 3, 64, 127, 2**31, 2**53, 2**63, 2**70, -(2**70), 10**400, 10**5000, 0.0, -0.0, 0.5, 1e-300, 1e300, float("nan"),
    float("inf"), "", "yarn", "4.0", "default", "\ud800", "x" * 10000, [], [None], [1.0] * 3, [[]], {}, {"rope_type": "yarn"},
    [1.0] * 64, ["full_attention"] * 3, {"full_attention": None}, {"": {}}, _deep(150), _deep(40), "rope_\x1b[2J",
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
    elif how < 0.9 and type(mapping[key]) in (int, float) and abs(mapping[key]) < 2**70:
        mapping[key] = mapping[key] * generator.choice((-1, 0.5, 2, 1e6, 1e-6))
    else:
        mapping[generator.choice(("rope_type", "type", "factor", "rope_theta", "truncate", "mscale"))] = (
            generator.choice(_STRANGE)
        )


_BYTES = (
    b"",
    b"\xff",
    b"\x00",
    b"{",
    b"}",
    b"[",
    b",",
    b'"',
    b"\\ud800",
    b"NaN",
    b"1e999",
    b"9" * 5000,
    b"[" * 200,
    b"\xef\xbb\xbf",
)


def as_file(config: Any, path: Path, generator: random.Random) -> None:
    """A file with the configuration, in one of the encodings of JSON, and mostly with its bytes damaged."""
    try:
        text = json.dumps(config)
    except ValueError:  # an integer that Python does not write
        text = '{"rope_theta": ' + "9" * 5000 + "}"
    if generator.random() < 0.2 and '":' in text:  # a key a second time
        at = text.index('":') + 2
        text = text[:at] + "0, " + text[1:at] + text[at:]
    raw = text.encode(generator.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32-be")), "surrogatepass")
    how = generator.random()
    at = generator.randrange(len(raw) + 1)
    if how < 0.25:
        raw = raw[:at]
    elif how < 0.6:
        raw = raw[:at] + generator.choice(_BYTES) + raw[at + generator.randint(0, 3) :]
    path.write_bytes(raw)
