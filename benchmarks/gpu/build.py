"""The package with its kernels, built and tested on this machine."""

import os
import shutil
import sys

from within_time import ROOT, run

BUILT = ROOT / "build" / "gpu"
TESTS = ("on_gpu.py", "paged_on_gpu.py", "test_torch_road.py")
SECONDS = {"build": 120, "tests": 150, "sanitizer": 75}


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
    results = {"tests": run([*pytest, *(folder / name for name in TESTS)], SECONDS["tests"])}
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
