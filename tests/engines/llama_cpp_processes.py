"""A process of its own for each case that llama.cpp's library is asked about: a file may make it abort."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from inside import answer
from llama_cpp_library import Refused, versions


def in_a_process(script: str, case: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """What a process of its own, which runs a script again, finds of a case."""
    done = subprocess.run(
        [sys.executable, script, "one"], input=json.dumps(case), capture_output=True, text=True, check=False,
        env=os.environ | {"GGML_NO_BACKTRACE": "1"},
    )  # fmt: skip
    said = re.findall(r"\.(?:cpp|c|h):\d+: (.*)", done.stderr)
    if done.returncode == -signal.SIGABRT and said:
        raise RuntimeError(f"it aborts: {said[0]}")
    if done.returncode != 0:  # the mistake is here, not there
        raise SystemExit(f"{case} ends with {done.returncode}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    if "refused" in found:
        raise RuntimeError(found["refused"])
    return found


def answer_by_processes(script: str, of_one: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """All cases on the standard input, or, where the script is run for one, that one."""
    if sys.argv[1:] != ["one"]:
        answer(partial(in_a_process, script), *versions(), word="file")
        return
    try:
        found = of_one(json.load(sys.stdin))
    except Refused as error:
        found = {"refused": str(error)}
    json.dump(found, sys.stdout)
