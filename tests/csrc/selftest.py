"""Build selftest.cpp with the kernels and run it; for another processor under its emulator.

Run: python tests/csrc/selftest.py
     python tests/csrc/selftest.py --compiler aarch64-linux-gnu-g++ --runner qemu-aarch64
     python tests/csrc/selftest.py --runner "qemu-x86_64 -cpu Nehalem"     (or Haswell: AVX2 and no AVX-512)
"""

import argparse
import shlex
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CPU = HERE.parents[1] / "csrc" / "cpu"
COMMON = ["-std=c++17", "-O2", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi"]


def units_of(machine):
    """The units of instruction sets that a processor's build has, each with its flags: what CMake is told."""
    known = {}
    for line in (CPU / "isa" / "flags.cmake").read_text().splitlines():
        if line.startswith("set("):
            name, *words = line.removeprefix("set(").removesuffix(")").split()
            known[name] = words
    return {unit: known[f"flags_of_{unit}"] for unit in known[f"isa_of_{machine}"]}


def run(compiler="g++", runner=()):
    """What the program prints; CalledProcessError where an instruction set differs from the baseline."""
    machine = subprocess.run([compiler, "-dumpmachine"], capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        units = units_of(machine.partition("-")[0])
        sources = [(HERE / "selftest.cpp", []), (CPU / "instruction_sets.cpp", [])]
        sources += [(CPU / "isa" / f"{unit}.cpp", flags) for unit, flags in units.items()]
        objects = [f"{folder}/{source.stem}.o" for source, _ in sources]
        compilations = [
            subprocess.Popen([compiler, *COMMON, *flags, "-c", source, "-o", target])
            for (source, flags), target in zip(sources, objects, strict=True)
        ]
        if max(compilation.wait() for compilation in compilations) != 0:
            raise RuntimeError(f"{compiler} failed")
        program = f"{folder}/selftest"
        static = ["-static"] if runner else []
        subprocess.run([compiler, *static, *objects, "-o", program], check=True)
        return subprocess.run([*runner, program], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--runner", default="", help="the emulator and its arguments")
    options = parser.parse_args()
    print(run(options.compiler, shlex.split(options.runner)), end="")
