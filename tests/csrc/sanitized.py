"""Build the extension with a sanitizer of GCC, in a folder of its own, and run a script with it.

Run: python tests/csrc/sanitized.py address                     (100,000 random calls; AddressSanitizer and UBSan)
     python tests/csrc/sanitized.py thread                      (8 Python threads over the pool; ThreadSanitizer)
     python tests/csrc/sanitized.py address -- -m pytest -n 0 -x -p no:cacheprovider tests/backends
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FLAGS = {
    "address": "-fsanitize=address,undefined -fno-sanitize-recover=undefined",
    "thread": "-fsanitize=thread",
}
RUNTIMES = {"address": ("libasan.so", "libstdc++.so"), "thread": ("libtsan.so",)}  # libstdc++: else exceptions abort
DEFAULTS = {"address": ["tests/csrc/fuzz.py"], "thread": ["tests/csrc/hammer.py"]}
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1",  # CPython's own are many
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sanitizer", choices=FLAGS)
    parser.add_argument("command", nargs="*", help="arguments of python")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yarncore-sanitized-") as folder:
        flags = f"{FLAGS[options.sanitizer]} -fno-omit-frame-pointer -g -O1"
        build = [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", f"{folder}/site", str(ROOT),
            "--config-settings=cmake.build-type=None", f"--config-settings=cmake.define.CMAKE_CXX_FLAGS={flags}",
            "--config-settings=install.strip=false", f"--config-settings=build-dir={folder}/build",
        ]  # fmt: skip
        subprocess.run(build, check=True)
        # An editable install in this environment has a finder of its own, which comes before PYTHONPATH.
        Path(folder, "site", "sitecustomize.py").write_text(
            "import sys\nsys.meta_path[:] = [f for f in sys.meta_path if 'Redirecting' not in type(f).__name__]\n"
        )
        find = [subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout
                for name in RUNTIMES[options.sanitizer]]  # fmt: skip
        environment = os.environ | OPTIONS | {
            "LD_PRELOAD": " ".join(path.strip() for path in find), "PYTHONMALLOC": "malloc",
            "PYTHONPATH": f"{folder}/site",
        }  # fmt: skip
        command = [sys.executable, *(options.command or DEFAULTS[options.sanitizer])]
        check = "import yarncore; assert yarncore.__file__.startswith(r'" + folder + "'), yarncore.__file__"
        subprocess.run([sys.executable, "-c", check], check=True, env=environment, cwd=ROOT / "tests")
        sys.exit(subprocess.run(command, env=environment, cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
