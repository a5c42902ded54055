"""Everything about a GPU, in one run on a machine that has one: build, test, measure, judge.

Writes gpu.json and gpu.txt. Needs nvcc, a torch that sees the GPU, numpy, array-api-compat, pybind11,
scikit-build-core and pytest installed; no network. Ends within 8 minutes.
Run: python benchmarks/gpu/run.py --out results
"""

import argparse
import json
import sys
import time
from pathlib import Path

from build import build, test
from verdicts import judge, text_of
from within_time import START, run


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
    from measure import benchmark

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
