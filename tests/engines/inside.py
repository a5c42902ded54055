"""What all scripts share that run within an engine's environment: NumPy is all that it needs."""

import importlib.metadata
import importlib.util
import json
import math
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any
from unittest.mock import MagicMock

import numpy as np


def alone(*packages: str) -> None:
    """Let modules of these packages be imported without what their __init__ loads: trainers, data sets, accelerators.

    The modules themselves are run as they are.
    """
    for name in packages:
        found = importlib.util.find_spec(name)
        if found is None or found.submodule_search_locations is None:
            raise ModuleNotFoundError(name)
        package = types.ModuleType(name)
        package.__path__ = list(found.submodule_search_locations)
        sys.modules[name] = package
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, package)


class _Absent(MetaPathFinder, Loader):
    """Finds these packages and their modules, any attribute of which is a mock."""

    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        wanted = any(fullname == name or fullname.startswith(f"{name}.") for name in self.packages)
        return ModuleSpec(fullname, self, is_package=True) if wanted else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        module.__getattr__ = lambda name: _mock(name)  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing: there is no code."""


def _mock(name: str) -> MagicMock:
    if name.startswith("__"):
        raise AttributeError(name)
    return MagicMock(name=name)


def absent(*packages: str) -> None:
    """Let modules be imported that are not there, or need a GPU: compilers of kernels and kernels, none of which runs here."""
    sys.meta_path.insert(0, _Absent(packages))


def measured(turned: Callable[[int], tuple[Any, Any]], powers: int) -> tuple[list[float], float]:
    """Frequencies in radians per token, and the factor on cos and sin, of an engine that is only called.

    Parameters
    ----------
    turned : callable
        A position -> cos and sin of each pair, times the factor. It is asked at powers of two, each of which makes the
        frequency twice as sharp.
    powers : int
        How many.
    """
    frequencies = np.zeros(0)
    length = 1.0
    for power in range(powers):
        cos, sin = (np.asarray(one, dtype=np.float64).reshape(-1) for one in turned(2**power))
        angle = np.arctan2(sin, cos)
        if power == 0:
            length = float(np.hypot(cos[0], sin[0]))
            frequencies = angle
            continue
        expected = frequencies * 2**power
        frequencies = (angle + 2 * math.pi * np.round((expected - angle) / (2 * math.pi))) / 2**power
    return [float(value) for value in frequencies], length


def answer(
    run: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]],
    *distributions: str,
    model_types: tuple[str, ...] = (),
    word: str = "rope",
    more: Mapping[str, Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]] | None = None,
) -> None:
    """Cases on the standard input, what the engine does with each on the output.

    Parameters
    ----------
    run : callable
        A rope dict and what was asked (dim, base, max_position) -> what is recorded of it. What it raises is recorded, too.
    *distributions : str
        Whose versions are recorded, the engine first.
    model_types : tuple of str
        For each of which the engine is asked, as asked["model_type"], where it has code of its own for each.
    word : str
        Under which a case stands in its record.
    more : mapping of str to callable, optional
        Further questions, as `run`: the name of a list of records -> what answers the cases in asked[name].
    """
    asked = json.load(sys.stdin)
    records = []
    for name, rope, model_type in ((*case, one) for case in asked["cases"].items() for one in model_types or ("",)):
        record: dict[str, Any] = {"name": name, word: rope}
        if model_type:
            record = {"name": f"{name}, {model_type}", "model_type": model_type, word: rope}
        records.append(record | _answered(run, dict(rope), asked | {"model_type": model_type}))
    found: dict[str, Any] = {
        "versions": {name: importlib.metadata.version(name) for name in distributions},
        "records": records,
    }
    for question, answers in (more or {}).items():
        found[question] = {name: _answered(answers, dict(one), asked) for name, one in asked[question].items()}
    json.dump(found, sys.stdout)


def _answered(
    run: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]], case: dict[str, Any], asked: dict[str, Any]
) -> dict[str, Any]:
    try:
        return run(case, asked)
    except Exception as error:  # whatever it raises is what it does
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
