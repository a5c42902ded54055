"""Threads, forks, signals, exits and scarce resources. Each in a process of its own, which must end well and soon."""

import subprocess
import sys

import pytest

PRELUDE = """
import os, resource, signal, sys, threading, time
import numpy as np
import yarncore as yc
yc.set_num_threads(2)
rope = yc.Rope(64)
x = np.random.default_rng(0).standard_normal((1, 2000, 8, 64)).astype(np.float32)
def turned():
    return rope.rotate(x, None, None, heads_axis=-2)
"""

ENDS_WELL = {
    "52-eight-threads-at-once-then-a-fork": """
expected = turned()
results = [None] * 8
def work(i):
    for _ in range(5):
        results[i] = turned()
threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
assert all(np.array_equal(r, expected) for r in results)
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(turned(), expected) else 1)
assert os.waitpid(child, 0)[1] == 0
""",
    "52-the-number-of-threads-changes-during-a-call": """
expected = turned()
def change():
    for n in range(300):
        yc.set_num_threads(1 + n % 4)
thread = threading.Thread(target=change)
thread.start()
while thread.is_alive():
    assert np.array_equal(turned(), expected)
""",
    "53-forks-while-calls-run": """
expected = turned()
stop = False
def work():
    while not stop:
        turned()
threads = [threading.Thread(target=work) for _ in range(2)]
[t.start() for t in threads]
for _ in range(10):
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(turned(), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0
stop = True
[t.join() for t in threads]
""",
    "53-spawn-and-forkserver": """
import multiprocessing
expected = turned()
for method in ("spawn", "forkserver"):
    with multiprocessing.get_context(method).Pool(1) as workers:
        assert np.array_equal(workers.apply(rope.rotate, (x, None, None), {"heads_axis": -2}), expected)
""",
    "54-an-interrupt-waits-for-the-whole-array": """
big = np.ones((1, 50_000, 8, 64), dtype=np.float32)
expected = rope.rotate(big, None, None, heads_axis=-2)
yc.set_num_threads(1)
signal.signal(signal.SIGALRM, signal.default_int_handler)
try:
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    rope.rotate_(big, None, None, heads_axis=-2)
    time.sleep(1)
except KeyboardInterrupt:
    assert np.array_equal(big, expected)
else:
    raise AssertionError("the signal was lost")
""",
    "54-a-daemon-thread-in-a-call-at-exit": """
def work():
    while True:
        rope.rotate_(x, None, None, heads_axis=-2)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
""",
    "54-exit-with-sleeping-workers": """
import atexit
atexit.register(turned)
turned()
sys.exit(0)
""",
    "51-a-resize-while-a-call-runs": """
owner = np.ones(200_000 * 64, dtype=np.float32)
def work():
    view = owner.reshape(1, 200_000, 64)
    for _ in range(20):
        rope.rotate_(view, None, None, heads_axis=None)
thread = threading.Thread(target=work)
thread.start()
time.sleep(0.005)
try:
    owner.resize(10)
except ValueError:
    pass
else:
    raise AssertionError("memory in use was given back")
thread.join()
""",
    "55-no-thread-can-be-started": """
expected = rope.rotate(x, None, None, heads_axis=-2, backend="generic")
yc.set_num_threads(1)
turned()
yc.set_num_threads(2)
os.setgroups([]) if os.getuid() == 0 else None
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
if os.getuid() == 0:
    os.setuid(65534)  # the limit does not bind root
try:
    threading.Thread(target=int).start()
except RuntimeError:
    pass
else:
    raise AssertionError("the limit does not bind here")
assert np.abs(turned() - expected).max() < 1e-6
""",
    "55-one-processor": """
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
assert turned().shape == x.shape
""",
    "55-no-memory-for-the-result": """
huge = np.broadcast_to(np.float32(1), (1, 1 << 40, 1, 64))
try:
    rope.rotate(huge, None, None, heads_axis=-2)
except MemoryError:
    pass
else:
    raise AssertionError("256 TiB were found")
assert turned().shape == x.shape
""",
}


@pytest.mark.parametrize("name", ENDS_WELL)
def test_ends_well(name):
    subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore", "-c", PRELUDE + ENDS_WELL[name]], check=True, timeout=120
    )


@pytest.mark.parametrize("flags", [["-OO"], ["-I"], ["-W", "error"], ["-OO", "-I"]])
def test_works_under_the_flags_of_python(flags):
    code = "import numpy as np, yarncore as yc; yc.Rope(8).rotate(np.ones((1, 8)), None, 1, heads_axis=None)"
    subprocess.run([sys.executable, *flags, "-c", code], check=True, timeout=60, cwd="/")
