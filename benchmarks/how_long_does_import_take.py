"""How long does `import yarncore` take beyond `import numpy`?

Run: python benchmarks/how_long_does_import_take.py
"""

import re
import statistics
import subprocess
import sys

from shared.interleaved import print_table


def milliseconds_of(module, statement):
    """Cumulative time of a module as python -X importtime tells it."""
    report = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement], capture_output=True, text=True
    ).stderr
    return int(re.search(rf"\|\s+(\d+) \|\s*{module}$", report, re.MULTILINE)[1]) / 1000


def beyond_numpy():
    return milliseconds_of("yarncore", "import numpy, yarncore")


def main():
    numpy = statistics.median(milliseconds_of("numpy", "import numpy") for _ in range(15))
    ours = statistics.median(beyond_numpy() for _ in range(15))
    rows = [["import numpy", f"{numpy:.1f} ms"], ["import yarncore, NumPy being there", f"{ours:.1f} ms"]]
    print_table("Import time, median of 15", ["", "time"], rows)


def test_import(benchmark):
    benchmark.pedantic(beyond_numpy, rounds=3)


if __name__ == "__main__":
    main()
