"""How memory is read and written is tried out on the caller's own work, can be told, and changes no result."""

import os
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

import yarncore as yc
from yarncore import _core

ROTATION = yc.Rope(128, interleaved=True, scaling=yc.YaRN(4.0, 1024)).at()
FETCH_IN_PLACE, FETCH_TO_OUTPUT, FETCH_SLOTS, STREAM = (
    "fetch ahead, in place",
    "fetch ahead, to an output",
    "fetch ahead, slots",
    "stores past the caches",
)


@pytest.fixture(autouse=True)
def nothing_told():
    yield
    _core.force_fetch_ahead(None)
    _core.force_stream(None)


def aligned(shape, dtype):
    memory = np.zeros(int(np.prod(shape)) * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + memory.size - 64].view(dtype).reshape(shape)


def choices():
    return {(question, size): (yes, decided, ratio) for question, size, yes, decided, ratio in _core.memory_choices()}


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
@pytest.mark.parametrize("heads_first", [False, True])
def test_every_choice_gives_the_same_bits(dtype, heads_first, rng, instruction_set):
    tokens, axis = 600, -3 if heads_first else -2
    shapes = [(1, n, tokens, 128) if heads_first else (1, tokens, n, 128) for n in (16, 4)]
    q, k = (rng.standard_normal(shape, dtype=np.float32).astype(dtype) for shape in shapes)
    threads = yc.get_num_threads()
    results = []
    try:
        for fetch in (False, True, None):
            for stream in (False, True, None):
                _core.force_fetch_ahead(fetch)
                _core.force_stream(stream)
                for count in (1, 3):
                    yc.set_num_threads(count)
                    out = [aligned(shape, dtype) for shape in shapes]
                    ROTATION.rotate(q, k, 1234, heads_axis=axis, out=out)
                    inside = [q.copy(), k.copy()]
                    ROTATION.rotate_(*inside, 1234, heads_axis=axis)
                    results += [b"".join(x.tobytes() for x in out), b"".join(x.tobytes() for x in inside)]
    finally:
        yc.set_num_threads(threads)
    assert len(set(results)) == 1


def test_slots_too(rng):
    keys = rng.standard_normal((5000, 8, 128)).astype(np.float32)
    slots = rng.permutation(5000)[:4000]
    slots[::100] = -1
    plain = yc.Rope(128, interleaved=True).at()
    results = []
    for fetch in (False, True, None):
        _core.force_fetch_ahead(fetch)
        mine = keys.copy()
        yc.rerotate_(mine, np.arange(4000), plain, ROTATION, slots=slots)
        results.append(mine.tobytes())
    assert len(set(results)) == 1
    assert results[0] != keys.tobytes()


def test_a_few_large_calls_decide_and_small_ones_ask_nothing():
    before = choices()
    small = np.ones((1, 8, 8, 128), np.float32)
    for _ in range(20):
        ROTATION.rotate_(small, None, None, heads_axis=-2)
        ROTATION.rotate(small, None, None, heads_axis=-2)
    assert choices() == before
    threads = yc.get_num_threads()
    yc.set_num_threads(1)
    q = aligned((1, 1024, 32, 128), np.float32)
    out = aligned(q.shape, np.float32)
    for _ in range(8):
        ROTATION.rotate_(q, None, None, heads_axis=-2)
        ROTATION.rotate(q, None, None, heads_axis=-2, out=out)
    yc.set_num_threads(threads)
    found = choices()
    for question in (FETCH_IN_PLACE, FETCH_TO_OUTPUT, STREAM):
        mine = [answer for (name, _), answer in found.items() if name == question]
        assert any(decided for _, decided, _ in mine), found
        assert all(yes == (ratio < 1) for yes, _, ratio in mine), found


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment, check=False
    )


@pytest.mark.parametrize("answer", ["on", "off"])
def test_the_environment_tells_and_what_was_told_shows(answer):
    code = "import yarncore; print(yarncore._core.memory_choices())"
    output = run(code, YARNCORE_FETCH_AHEAD=answer, YARNCORE_STREAM=answer)
    rows = eval(output.stdout)
    assert [name for name, *_ in rows] == [FETCH_IN_PLACE, FETCH_TO_OUTPUT, FETCH_SLOTS, STREAM]
    assert all((yes, decided, ratio) == (answer == "on", True, 0) for _, _, yes, decided, ratio in rows)


@pytest.mark.parametrize("variable", ["YARNCORE_FETCH_AHEAD", "YARNCORE_STREAM"])
def test_another_word_is_an_import_error_that_says_so(variable):
    output = run("import yarncore._core", **{variable: "maybe"})
    assert output.returncode != 0
    assert f'{variable} is "maybe"; on or off is expected' in output.stderr


def test_a_forked_child_goes_on_trying():
    code = """
import os, numpy as np, yarncore as yc
yc.set_num_threads(1)
q = np.ones((1, 1024, 32, 128), np.float32)
rotation = yc.Rope(128).at()
rotation.rotate_(q, None, None, heads_axis=-2)
child = os.fork()
for _ in range(8):
    rotation.rotate_(q, None, None, heads_axis=-2)
if child == 0:
    os._exit(0 if any(decided for *_, decided, _ in yc._core.memory_choices()) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    output = run(code)
    assert output.returncode == 0, output.stderr
