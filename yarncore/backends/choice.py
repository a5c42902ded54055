"""Which backend rotates an array, and why."""

from dataclasses import dataclass
from typing import Any

from yarncore.backends.backend import Backend
from yarncore.backends.cupy import CupyBackend
from yarncore.backends.dask import DaskBackend
from yarncore.backends.dtensor import DTensorBackend
from yarncore.backends.generic import GenericBackend
from yarncore.backends.native import NativeBackend
from yarncore.backends.native_cuda import NativeCudaBackend
from yarncore.backends.native_jax import NativeJaxBackend
from yarncore.errors import BackendUnavailable
from yarncore.namespaces import Array, framework_of
from yarncore.request.request import RotationRequest
from yarncore.request.tensors import check_array

# In the order in which they are asked. A backend more is a file and a row here.
BACKENDS: tuple[Backend, ...] = (
    NativeBackend(),
    NativeCudaBackend(),
    CupyBackend(),
    DaskBackend(),
    DTensorBackend(),
    GenericBackend(),
    NativeJaxBackend(),  # for those who insist: XLA cannot cut it over devices, which the generic one never minds
)
NAMES = tuple(dict.fromkeys(backend.name for backend in BACKENDS))  # some share one: the kinds of array differ


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """Which backend rotates an array.

    Attributes
    ----------
    name : str
        "native", "cupy" or "generic".
    why : str
        Why this one.
    faster : str or None
        What would be faster, where something would.
    """

    name: str
    why: str
    faster: str | None


def _backends_named(name: Any) -> list[Backend]:
    if not isinstance(name, str):
        raise TypeError(f"backend is {name!r} ({type(name).__name__}); one of {', '.join(NAMES)} is expected")
    if name not in NAMES:
        raise ValueError(f"backend is {name!r}; one of {', '.join(NAMES)} is expected")
    return [backend for backend in BACKENDS if backend.name == name]


def choose(request: RotationRequest, name: str | None) -> Backend:
    """The backend that carries out a request: the named one, else the first that does not refuse.

    Raises
    ------
    BackendUnavailable
        Where the named one refuses, or all do; with the reason.
    """
    reasons = []
    for backend in BACKENDS if name is None else _backends_named(name):
        reason = None
        for x in request.inputs if request.outputs is None else [*request.inputs, *request.outputs]:
            reason = reason or backend.refusal(x)
        reason = reason or backend.request_refusal(request)
        if reason is None:
            return backend
        reasons.append(reason)
    which = "no backend" if name is None else f"backend {name!r}"
    raise BackendUnavailable(f"{which} can rotate this: {'; '.join(reasons)}")


def backend_for(x: Array) -> BackendChoice:
    """Which backend rotates `x`, why, and what would be faster.

    Parameters
    ----------
    x : array
        Of any framework.

    Returns
    -------
    BackendChoice

    Raises
    ------
    TypeError
        Where `x` is no array that can be rotated.
    BackendUnavailable
        Where no backend can.
    """
    check_array("x", x)
    refusals: dict[str, str] = {}
    for backend in BACKENDS:
        reason = backend.refusal(x)
        if reason is None:
            break
        refusals[backend.name] = f"{refusals[backend.name]}; {reason}" if backend.name in refusals else reason
    else:
        raise BackendUnavailable(f"no backend can rotate this: {refusals}")
    why = f"{backend.does} {framework_of(x)}"
    native = refusals.get("native")
    if native is None:
        return BackendChoice(backend.name, why, None)
    return BackendChoice(backend.name, f"{why}; native refused: {native}", _faster(native, framework_of(x)))


def _faster(reason: str, framework: str) -> str | None:
    if "cannot be loaded" in reason:
        return "install yarncore with its extension"
    if "built without CUDA kernels" in reason and framework in ("torch", "cupy"):
        return "yarncore built where nvcc is found, or with -DYARNCORE_CUDA=ON; or CuPy, which compiles the same kernel"
    if "is a subclass of Tensor" in reason:
        return "a plain torch.Tensor, which the extension rotates"
    return {"jax": 'jax.jit around the call; on one CPU device backend="native"', "mlx": "mlx.core.compile around the call",
            "array_api_strict": "NumPy arrays, which the extension rotates"}.get(framework)  # fmt: skip
