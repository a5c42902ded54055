"""The house keeps its order: imports point one way, names are true, files keep their sizes."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import yarncore as yc

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "yarncore"
INSTALLED = Path(yc.__file__).parent


def run(code, *flags):
    return subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_no_framework_and_nothing_beyond_numpy_and_array_api_compat():
    loaded = set(run("import sys, yarncore; print(*{name.partition('.')[0] for name in sys.modules})").split())
    with_numpy = set(run("import sys, numpy; print(*{name.partition('.')[0] for name in sys.modules})").split())
    beyond = {name for name in loaded - with_numpy if name not in sys.stdlib_module_names}
    assert beyond == {"yarncore", "array_api_compat"}


def test_import_in_isolated_and_optimised_mode():
    assert run("import yarncore; print(yarncore.Rope(8).head_dim)", "-I", "-OO", "-W", "error").strip() == "8"


def test_all_is_the_truth():
    public = {name for name in dir(yc) if not name.startswith("_")}
    modules = {name for name in public if isinstance(getattr(yc, name), type(yc))}
    assert public - modules == set(yc.__all__)
    assert len(set(yc.__all__)) == len(yc.__all__)
    assert {"YaRN", "DynamicYaRN", "Llama3", "LongRoPE"} <= public


def test_every_public_thing_is_documented():
    for name in yc.__all__:
        assert getattr(yc, name).__doc__, name
    for cls in (yc.Rope, yc.Rotation):
        for name, member in vars(cls).items():
            if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                assert member.__doc__, f"{cls.__name__}.{name}"


@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="needs the checkout")
class TestSources:
    def test_imports_point_one_way(self):
        output = subprocess.run(
            [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
        )
        assert output.returncode == 0, output.stdout

    def test_types(self):
        output = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
        assert output.returncode == 0, output.stdout

    def test_frameworks_are_imported_within_functions_but_where_only_their_arrays_lead(self):
        homes = {
            "torch": ["identification/models.py", "frameworks/torch.py", "backends/torch/*", "backends/*/torch_*.py", "torch.py", "transformers/*", "transformers/dynamic/*", "evaluate/*"],
            "jax": ["frameworks/jax.py"],
            "cupy": ["frameworks/cupy.py", "backends/gpu/cupy_memory.py"],
            "rich": ["reports/*"],
            "transformers": ["transformers/*", "transformers/dynamic/*", "evaluate/*", "evaluate/tasks/*"],
            "lm_eval": ["evaluate/*"], "datasets": ["evaluate/tasks/*"], "matplotlib": ["evaluate/pictures.py", "pictures/*"],
            "dask": [], "mlx": [], "mpmath": [],
        }  # fmt: skip
        for path in PACKAGE.rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                names = [alias.name for alias in getattr(node, "names", [])] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                for name in names:
                    allowed = homes.get(name.partition(".")[0])
                    inner = path.relative_to(PACKAGE)
                    assert allowed is None or any(inner.match(place) for place in allowed), f"{path}: {name}"

    def test_which_framework_an_array_is_of_is_asked_in_one_place(self):
        for path in PACKAGE.rglob("*.py"):
            if path != PACKAGE / "frameworks" / "known.py":
                assert "is_torch" not in path.read_text(), path

    def test_no_file_has_two_subjects(self):
        for path in [*PACKAGE.rglob("*.py"), *(ROOT / "csrc").rglob("*.h"), *(ROOT / "csrc").rglob("*.cpp")]:
            assert len(path.read_text().splitlines()) <= 400, path

    def test_only_the_folder_of_the_bindings_sees_pybind11(self):
        for path in (ROOT / "csrc").rglob("*.*"):
            assert path.parent.name == "python" or "pybind11" not in path.read_text(), path

    def test_units_of_instruction_sets_include_no_header_with_ordinary_inline_functions(self):
        allowed = {"cstdint", "cstddef", "immintrin.h", "emmintrin.h", "arm_neon.h"}
        seen, todo = set(), [*(ROOT / "csrc/cpu/isa").glob("*.cpp")]
        while todo:
            path = todo.pop().resolve()
            seen.add(path.name)
            lines = path.read_text().splitlines()
            todo += [
                n
                for line in lines
                if line.startswith('#include "')
                if (n := path.parent / line[10:-1]).name not in seen
            ]
            for line in lines:
                if line.startswith("#include <"):
                    assert line[10:-1] in allowed, f"{path.name}: {line}"
        assert "rotation_math.h" in seen


def test_the_stub_names_what_the_extension_has():
    stub = ast.parse(
        (INSTALLED / "_core.pyi").read_text()
        if (INSTALLED / "_core.pyi").exists()
        else (PACKAGE / "_core.pyi").read_text()
    )
    named = set()
    for node in stub.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            named.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            named.add(node.target.id)
    core = importlib.import_module("yarncore._core")
    assert named == {name for name in vars(core) if not name.startswith("_")}


def test_an_unknown_instruction_set_is_an_import_error_that_says_so():
    import os

    for name in yc._core.instruction_sets():
        output = subprocess.run(
            [sys.executable, "-c", "import yarncore; print(yarncore._core.instruction_set())"],
            capture_output=True, text=True, env=os.environ | {"YARNCORE_ISA": name},
        )  # fmt: skip
        assert output.stdout.strip() == name
    output = subprocess.run(
        [sys.executable, "-c", "import yarncore._core"],
        capture_output=True,
        text=True,
        env=os.environ | {"YARNCORE_ISA": "mmx"},
    )
    assert output.returncode != 0
    assert 'instruction set "mmx" cannot be used here; available: ' in output.stderr


def test_without_the_extension_everything_works_slowly_and_says_so():
    code = """
import sys, warnings
sys.modules["yarncore._core"] = None
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import numpy as np, yarncore as yc
assert any("cannot be loaded" in str(w.message) for w in caught)
x = np.ones((2, 8))
y = yc.Rope(8).rotate(x, None, [1, 2], heads_axis=None)
assert abs(y[0, 0] - (np.cos(1) - np.sin(1))) < 1e-15
choice = yc.backend_for(x)
assert choice.name == "generic" and "cannot be loaded" in choice.why and "install" in choice.faster
for call in (lambda: yc.Rope(8).rotate(x, None, 0, heads_axis=None, backend="native"), yc.get_num_threads):
    try:
        call()
    except yc.BackendUnavailable as error:
        assert "pip install" in str(error)
    else:
        raise SystemExit("no error")
"""
    run(code)
