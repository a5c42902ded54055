"""Everything about a GPU, in one run on a machine that has one: build, test, measure, judge.

Writes gpu.json and gpu.txt. Needs nvcc, a torch that sees the GPU, numpy, array-api-compat, pybind11,
scikit-build-core and pytest installed; no network. Ends within 8 minutes.
Run: python benchmarks/gpu.py --out results
"""

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADS, KEY_HEADS, DIM = 32, 8, 128
BUILT = ROOT / "build" / "gpu"
SECONDS = {"build": 120, "tests": 150, "sanitizer": 75}
TOTAL = 450  # of 480
START = time.monotonic()

# Name, what is judged (a column of the rows that fit), how it must compare, and where.
GOALS = [
    ("in place, S >= 4096: share of a scale pass", "share_of_scale", ">=", 0.92, lambda r: r["tokens"] >= 4096),
    ("out of place, S >= 4096: share of a copy", "share_of_copy", ">=", 0.92, lambda r: r["tokens"] >= 4096),
    ("interleaved / half-split, S >= 4096", "interleaved", "<=", 1.03, lambda r: r["tokens"] >= 4096 and r["type"] != "float32"),
    ("64 sequences of one token: / gather-copy, captured", "over_gather", "<=", 1.15, lambda r: r["shape"] == [64, 1]),
    ("times of transformers, eager", "eager", ">=", 5.0, lambda r: True),
    ("times of transformers, compiled", "compiled", ">=", 1.5, lambda r: True),
    ("times of a fused Triton kernel with a table", "triton", ">=", 1.0, lambda r: True),
]  # fmt: skip


def left():
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


def build():
    """The package and its extension with the kernels, into a folder of this checkout: the environment stays as it is."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--upgrade",
    ]
    result = run([*command, "-C", "cmake.define.YARNCORE_CUDA=ON", "--target", BUILT, ROOT], SECONDS["build"])
    sys.path.insert(1, str(BUILT))
    return result


def test():
    """Correctness on the GPU and of the kernel on the host; then under compute-sanitizer where there is one."""
    folder = ROOT / "tests" / "cuda"
    # Without the project's own settings, which ask for frameworks that a GPU has no part in.
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--noconftest",
        "-c",
        os.devnull,
        "--rootdir",
        ROOT,
    ]
    results = {"tests": run([*pytest, folder / "on_gpu.py", folder / "test_torch_road.py"], SECONDS["tests"])}
    results["tests"]["summary"] = (results["tests"]["said"].strip().splitlines() or [""])[-1]
    sanitizer = shutil.which("compute-sanitizer")
    for tool in ("memcheck", "racecheck"):
        if sanitizer is None:
            results[tool] = {"status": None, "summary": "compute-sanitizer is not installed"}
            continue
        chosen = [*pytest, "-x", folder / "on_gpu.py", "-k", "views or positions or sections"]
        # What kernels do, not what other libraries ask the driver and are refused.
        only_ours = ["--report-api-errors", "no"] if tool == "memcheck" else []
        result = run([sanitizer, "--tool", tool, *only_ours, "--error-exitcode", "9", *chosen], SECONDS["sanitizer"])
        lines = [
            line for line in result["said"].splitlines() if "SUMMARY" in line or " passed" in line or " failed" in line
        ]
        ended = "out of time; " if result["status"] == 124 else ""
        results[tool] = result | {"summary": ended + (" / ".join(lines) or result["said"][-300:])}
    return results


class Clock:
    """Median seconds of a call, by events, over sets of arrays that together do not fit the L2 cache."""

    def __init__(self):
        import torch

        self.torch = torch
        self.l2 = torch.cuda.get_device_properties(0).L2_cache_size

    def sets(self, size):
        """How many sets of `size` bytes are taken in turn."""
        return max(1, min(64, 3 * self.l2 // max(size, 1) + 1))

    def called(self, calls, rounds=15):
        """Calls one after the other, as a program makes them."""
        for call in calls[:3]:
            call()
        many = calls if len(calls) >= 8 else calls * (8 // len(calls) + 1)
        return self._median(lambda: [call() for call in many], rounds) / len(many)

    def captured(self, calls, rounds=15):
        """The same in a captured graph: what the GPU needs, without Python."""
        stream = self.torch.cuda.Stream()
        with self.torch.cuda.stream(stream):
            for call in calls[:3]:
                call()
        stream.synchronize()
        many = calls if len(calls) >= 16 else calls * (16 // len(calls) + 1)
        graph = self.torch.cuda.CUDAGraph()
        with self.torch.cuda.graph(graph):
            for call in many:
                call()
        return self._median(graph.replay, rounds) / len(many)

    def _median(self, work, rounds):
        work()
        self.torch.cuda.synchronize()
        samples = []
        for _ in range(rounds):
            begin, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            work()
            end.record()
            end.synchronize()
            samples.append(begin.elapsed_time(end) / 1e3)
        return statistics.median(samples)


def measure(clock, shape, dtype, backend):
    """One row: our times, and the ratios that the goals name."""
    import gpu_competitors as peers
    import torch

    import yarncore as yc

    batch, seq = shape
    tokens = batch * seq
    flat = yc.Rope(DIM).at()
    interleaved = yc.Rope(DIM, interleaved=True).at()
    size = tokens * (HEADS + KEY_HEADS) * DIM * dtype.itemsize
    count = clock.sets(2 * size)
    sets = [[torch.randn(tokens, n, DIM, device="cuda").to(dtype) for n in (HEADS, KEY_HEADS)] for _ in range(count)]
    outs = [[torch.empty_like(x) for x in pair] for pair in sets]
    positions = torch.arange(seq, device="cuda").repeat(batch) + 1000
    row = {"shape": list(shape), "tokens": tokens, "type": str(dtype)[6:], "backend": backend, "bytes": size}

    def of_sets(call):
        return [functools.partial(call, *pair, *out) for pair, out in zip(sets, outs, strict=True)]

    def ours(rotation, q, k, *_):
        rotation.rotate_(q, k, positions, heads_axis=-2, backend=backend)

    in_place = clock.captured(of_sets(functools.partial(ours, flat)))
    row["seconds"] = in_place
    row["bandwidth"] = 2 * size / in_place
    row["interleaved"] = clock.captured(of_sets(functools.partial(ours, interleaved))) / in_place
    row["share_of_scale"] = clock.captured(of_sets(lambda q, k, *_: peers.scale(q, k))) / in_place
    out_of_place = clock.captured(
        of_sets(lambda q, k, a, b: flat.rotate(q, k, positions, heads_axis=-2, out=(a, b), backend=backend))
    )
    row["share_of_copy"] = clock.captured(of_sets(lambda q, k, a, b: peers.copy((q, a), (k, b)))) / out_of_place
    if tokens <= 4096:
        parts = max(1, min(5, 264 // tokens))
        row["over_gather"] = in_place / clock.captured(of_sets(lambda q, k, *_: peers.gather(q, k, positions, parts)))
    cos, sin = (t.to(dtype).contiguous() for t in yc.Rope(DIM).cos_sin(positions))
    if peers.triton is not None:
        row["triton"] = clock.captured(of_sets(lambda q, k, *_: peers.fused_triton(q, k, cos, sin))) / in_place
    outs.clear()  # the peers make their own results
    wide = [torch.cat([t, t], -1).view(batch, seq, DIM) for t in (cos, sin)]
    first = [[x.view(batch, seq, -1, DIM).transpose(1, 2) for x in pair] for pair in sets[: max(1, count // 2)]]
    called = clock.called([functools.partial(ours, flat, *pair) for pair in sets])
    row["called_seconds"] = called
    for name, function in (("eager", peers.apply_of_transformers()), ("compiled", peers.compiled_rotate_half())):
        with torch.no_grad():
            row[name] = clock.called([functools.partial(function, *pair, *wide) for pair in first]) / called
    with torch.no_grad():
        compiled = clock.captured([functools.partial(peers.compiled_rotate_half(), *pair, *wide) for pair in first])
    row["compiled_captured"] = compiled / in_place
    return row


def benchmark(backends):
    """All rows, as long as there is time; what was left out is said."""
    import torch

    clock = Clock()
    shapes = [(1, s) for s in (4096, 1, 16, 512, 131072, 1024, 8192, 32768)] + [(64, 1), (64, 128), (64, 2048)]
    plan = [(shape, dtype) for dtype in (torch.bfloat16, torch.float32, torch.float16) for shape in shapes]
    rows, missing = [], []
    for backend in backends:
        for shape, dtype in plan if backend == backends[0] else plan[:3]:
            if left() < 15:
                missing.append([backend, list(shape), str(dtype)[6:]])
                continue
            try:
                rows.append(measure(clock, shape, dtype, backend))
            except torch.cuda.OutOfMemoryError:
                missing.append([backend, list(shape), str(dtype)[6:], "out of memory"])
            torch.cuda.empty_cache()
            print(f"{backend} {shape} {dtype}: {rows[-1]['seconds'] * 1e6:,.1f} us", flush=True)
    return rows, missing


def judge(rows):
    """One verdict a goal: its worst row. A goal without a row is unmeasured, never reached."""
    verdicts = []
    for name, column, sense, bound, fits in GOALS:
        values = [(row[column], row) for row in rows if column in row and fits(row)]
        if not values:
            verdicts.append({"goal": name, "bound": f"{sense} {bound}", "verdict": "unmeasured"})
            continue
        worst, row = (min if sense == ">=" else max)(values, key=lambda pair: pair[0])
        reached = worst >= bound if sense == ">=" else worst <= bound
        where = f"{row['backend']} {row['type']} {row['shape']}"
        verdicts.append(
            {"goal": name, "bound": f"{sense} {bound}", "worst": round(worst, 3), "where": where,
             "verdict": "reached" if reached else "MISSED"}
        )  # fmt: skip
    return verdicts


def text_of(report):
    """All of it for a reader."""
    lines = [f"{key}: {value}" for key, value in report["machine"].items()]
    lines += [
        "",
        *(f"{name}: {result.get('summary', result['status'])}" for name, result in report["tests"].items()),
        "",
    ]
    columns = [
        "share_of_scale",
        "share_of_copy",
        "interleaved",
        "over_gather",
        "triton",
        "eager",
        "compiled",
        "compiled_captured",
    ]
    lines.append(f"{'backend, type, (batch, seq)':<34}{'time':>12}{'TB/s':>8}" + "".join(f"{c:>18}" for c in columns))
    for row in report["rows"]:
        name = f"{row['backend']} {row['type']} {tuple(row['shape'])}"
        cells = (f"{row[c]:.3f}" if c in row else "-" for c in columns)
        lines.append(
            f"{name:<34}{row['seconds'] * 1e6:>9,.1f} us{row['bandwidth'] / 1e12:>8.2f}"
            + "".join(f"{c:>18}" for c in cells)
        )
    lines += ["", "left out: " + (", ".join(map(str, report["missing"])) or "nothing"), ""]
    for verdict in report["verdicts"]:
        found = f"{verdict['worst']} ({verdict['where']})" if "worst" in verdict else ""
        lines.append(f"{verdict['verdict']:<11} {verdict['goal']} {verdict['bound']}  {found}")
    return "\n".join(lines) + "\n"


def machine():
    """Which GPU and which software."""
    import torch

    import yarncore as yc

    properties = torch.cuda.get_device_properties(0)
    driver = run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], 10)["said"].strip()
    return {
        "gpu": properties.name, "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count, "L2": properties.L2_cache_size, "driver": driver,
        "torch": torch.__version__, "cuda": torch.version.cuda, "yarncore": yc.__version__, "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="gpu-results", type=Path, help="folder for gpu.json and gpu.txt")
    parser.add_argument("--no-build", action="store_true", help="take the installed yarncore")
    parser.add_argument("--no-tests", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    built = None if options.no_build else build()
    if built and built["status"]:
        sys.exit(f"the build failed:\n{built['said']}")
    try:
        import torch

        from yarncore.backends.gpu.built_kernel import NativeCudaBackend
        from yarncore.backends.gpu.run_time_kernel import CupyBackend
    except ImportError as error:
        sys.exit(f"{error}; torch with CUDA, numpy, array-api-compat and yarncore are needed")
    if not torch.cuda.is_available():
        sys.exit("torch sees no GPU here: nothing can be measured")
    reasons = {"native": NativeCudaBackend().why_unavailable(), "cupy": CupyBackend().why_unavailable()}
    backends = [name for name, reason in reasons.items() if reason is None]
    report = {"machine": machine() | {"backends": reasons}, "build": built, "tests": {} if options.no_tests else test()}
    if not backends:
        sys.exit(f"no kernel can be launched: {reasons}")
    report["rows"], report["missing"] = benchmark(backends)
    report["verdicts"] = judge(report["rows"])
    report["seconds"] = round(time.monotonic() - START, 1)
    (options.out / "gpu.json").write_text(json.dumps(report, indent=1))
    (options.out / "gpu.txt").write_text(text_of(report))
    print(text_of(report))
    # A sanitizer that ran out of its time (124) has found nothing: the table says so.
    failed = [
        name for name, result in report["tests"].items()
        if result["status"] not in (0, None) and not (name != "tests" and result["status"] == 124)
    ]  # fmt: skip
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
