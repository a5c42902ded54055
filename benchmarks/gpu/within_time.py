"""The time that a run may take, and commands that end within it."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOTAL = 450  # seconds of 480
START = time.monotonic()


def left():
    """Seconds."""
    return TOTAL - (time.monotonic() - START)


def run(command, seconds):
    """Exit status (124 past its time), seconds and the end of what it said."""
    before = time.monotonic()
    # Not in the checkout's root: there `import yarncore` would find sources without an extension.
    more = {"cwd": ROOT / "benchmarks", "env": os.environ | {"PYTHONPATH": os.pathsep.join(sys.path[1:])}}
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=min(seconds, max(left(), 1)),
            **more,
        )
        status, said = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        status, said = 124, "".join(part.decode() for part in (error.stdout, error.stderr) if part)
    return {"status": status, "seconds": round(time.monotonic() - before, 1), "said": said[-4000:]}
