"""Arrays that end, or begin, at a page nobody may touch: every read or write outside of them kills the process."""

import subprocess
import sys
from pathlib import Path

import pytest

from yarncore import _core

CODE = """
import sys
sys.path.insert(0, sys.argv[2])
import ml_dtypes, numpy as np, yarncore as yc
from guarded_memory import GuardedMemory
yc._core.use_instruction_set(sys.argv[1])
memory = GuardedMemory(16)

def at_the_edge(shape, dtype, end):
    array = memory.at_the_edge(shape, dtype, end)
    array[...] = 1
    return array

cases = 0
for dtype in map(np.dtype, (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)):
    lanes = 64 // dtype.itemsize
    for pairs in {*range(1, 2 * lanes + 2), 64, 96}:
        for interleaved in (False, True):
            for rest in (0, 3):
                rotation = yc.Rotation(np.full(pairs, 0.1), head_dim=2 * pairs + rest, interleaved=interleaved)
                shape = (2, 2, 2 * pairs + rest)
                fresh = rotation.rotate(np.ones(shape, dtype), None, 5)
                for end in (False, True):
                    x = at_the_edge(shape, dtype, end)
                    out = np.empty(shape, dtype)
                    rotation.rotate(x, None, 5, out=out)
                    rotation.rotate_(x, None, 5)
                    other = at_the_edge(shape, dtype, end)
                    rotation.rotate(np.ones(shape, dtype), None, 5, out=other)
                    for y in (out, x, other):
                        assert y.tobytes() == fresh.tobytes(), (dtype, pairs, interleaved, rest, end)
                    cases += 1
print(cases)
"""


@pytest.mark.parametrize("name", _core.instruction_sets())
def test_nothing_outside_of_the_arrays_is_touched(name):
    run = subprocess.run(
        [sys.executable, "-c", CODE, name, str(Path(__file__).parents[2])], capture_output=True, text=True, timeout=200
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 500
