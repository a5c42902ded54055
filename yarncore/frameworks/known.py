"""Which framework an array belongs to, without importing one that the user has not imported.

To add a framework: a file of answers beside this one, and a row here.
"""

import importlib
import sys
from typing import Any

import array_api_compat
import numpy as np

from yarncore.frameworks.framework import Framework, Namespace
from yarncore.frameworks.numpy import NUMPY
from yarncore.frameworks.tracers import refuse_proxy

# Where the answers lie of what is imported by whoever has arrays of it: root module -> (module, its object).
_ROWS = {
    "jax": ("yarncore.frameworks.jax", "JAX"),
    "jaxlib": ("yarncore.frameworks.jax", "JAX"),
    "mlx": ("yarncore.frameworks.mlx", "MLX"),
    "dask": ("yarncore.frameworks.dask", "DASK"),
    "cupy": ("yarncore.frameworks.cupy", "CUPY"),
    "array_api_strict": ("yarncore.frameworks.array_api_strict", "ARRAY_API_STRICT"),
}
_NUMPY = (np.ndarray, np.generic)
_TORCH = "yarncore.frameworks.torch"
_by_root: dict[str, Framework] = {"numpy": NUMPY}


def is_numpy(x: object) -> bool:
    """Whether `x` is a NumPy array or NumPy scalar."""
    return isinstance(x, _NUMPY)


def is_torch(x: object) -> bool:
    """Whether `x` is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def is_array(x: object) -> bool:
    """Whether `x` is an array of any framework that is known or speaks the array API."""
    if is_numpy(x) or is_torch(x):
        return True
    refuse_proxy(x)
    return not isinstance(x, (int, float, str, list, tuple, type(None))) and bool(array_api_compat.is_array_api_obj(x))


def of(x: object) -> Framework:
    """The framework of an array."""
    # Every checked call comes here some twenty times: no further calls before the two that most arrays are of.
    if isinstance(x, _NUMPY):
        return NUMPY
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        return _torch()
    jax = sys.modules.get("jax")
    return _of_root("jax" if jax is not None and isinstance(x, jax.Array) else type(x).__module__.partition(".")[0])


def of_namespace(xp: Namespace) -> Framework:
    """The framework whose namespace `xp` is."""
    name = getattr(xp, "__name__", "").removeprefix("array_api_compat.")
    root = name.partition(".")[0]
    return _torch() if root == "torch" else _of_root(root)


def _torch() -> Framework:
    if sys.modules["torch"].compiler.is_compiling():
        # By a statement: which modules there are would be a guard, broken by the next import, and no import a call.
        from yarncore.frameworks.torch import TORCH

        return TORCH
    answers: Any = sys.modules.get(_TORCH) or importlib.import_module(_TORCH)
    return answers.TORCH  # type: ignore[no-any-return]


def _of_root(root: str) -> Framework:
    found = _by_root.get(root)
    if found is None:
        module, name = _ROWS.get(root, (None, ""))
        found = Framework(root) if module is None else getattr(importlib.import_module(module), name)
        _by_root[root] = found
    return found


def checked_namespace(xp: Any) -> Namespace:
    """`xp` as an array-API namespace: torch, cupy and dask.array themselves are exchanged for their adapters.

    Raises
    ------
    TypeError
        Where it is no namespace.
    """
    name = getattr(xp, "__name__", "")
    if name in ("numpy", "torch", "cupy", "dask.array"):
        return importlib.import_module(f"array_api_compat.{name}")
    if not all(hasattr(xp, needed) for needed in ("asarray", "where", "float32", "expand_dims")):
        raise TypeError(f"xp is {xp!r}; an array-API namespace, such as numpy, torch or jax.numpy, is expected")
    return xp
