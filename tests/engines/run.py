"""Makes an environment for one engine, runs its rotary code in it, and writes what it does as a record.

python tests/engines/run.py mlx-lm
python tests/engines/run.py mlx-lm --version 0.33.0      another version: its record is written beside the other

Engines contradict each other's pins, and ours: each has an environment of its own, which goes when the run ends.
"""

import argparse
import datetime
import json
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RECORDS = HERE / "records"
sys.path.insert(0, str(HERE))

from cases import BASE, CASES, DIM, MAX_POSITION  # noqa: E402


@dataclass(frozen=True)
class Recipe:
    """How an engine is installed and run.

    Attributes
    ----------
    version : str
        That which is measured by default.
    packages : tuple of str
        What pip is given; {version} is filled in.
    inside : str
        The file that runs within the environment.
    """

    version: str
    packages: tuple[str, ...]
    inside: str


# An engine more is a file that runs inside, and a row here.
RECIPES = {"mlx-lm": Recipe("0.32.2", ("mlx-lm=={version}", "mlx[cpu]==0.32.4"), "mlx_lm_inside.py")}


def record_of(name: str, version: str) -> dict[str, Any]:
    """What an engine does with every case."""
    recipe = RECIPES[name]
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        packages = [package.format(version=version) for package in recipe.packages]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        asked = {"cases": CASES, "dim": DIM, "base": BASE, "max_position": MAX_POSITION}
        done = subprocess.run(
            [python, str(HERE / recipe.inside)], input=json.dumps(asked), capture_output=True, text=True, check=True
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return {
        "engine": name, "date": datetime.date.today().isoformat(), "machine": platform.machine(), **asked, **found,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=sorted(RECIPES))
    parser.add_argument("--version")
    arguments = parser.parse_args()
    version = arguments.version or RECIPES[arguments.engine].version
    record = record_of(arguments.engine, version)
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"{arguments.engine}-{version}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    failed = sum("error" in one for one in record["records"])
    print(f"{path.name}: {len(record['records'])} cases, of which it refuses {failed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
