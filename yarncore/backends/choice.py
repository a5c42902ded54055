"""Which backend rotates an array, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from yarncore.backends.backend import Backend
from yarncore.backends.generic.expressions import GenericBackend
from yarncore.backends.gpu.built_kernel import NativeCudaBackend
from yarncore.backends.gpu.run_time_kernel import CupyBackend
from yarncore.backends.native.host import NativeBackend
from yarncore.backends.native.xla import NativeJaxBackend
from yarncore.backends.parts.dask import DaskBackend
from yarncore.backends.parts.dtensor import DTensorBackend
from yarncore.backends.torch.roads import why_not_recorded
from yarncore.backends.torch.traced import TracedTorchBackend
from yarncore.errors import BackendUnavailable
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import of
from yarncore.request.request import RotationRequest
from yarncore.request.tensors import check_array

# In the order in which they are asked. A backend more is a file and a row here.
BACKENDS: tuple[Backend, ...] = (
    TracedTorchBackend(),
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


def choose(request: RotationRequest, name: str | None) -> Backend:
    """The backend that carries out a request: the named one, else the first that does not refuse.

    Raises
    ------
    BackendUnavailable
        Where the named one refuses, or all do; with the reason.
    """

    def refusal(backend: Backend) -> str | None:
        for x in request.inputs if request.outputs is None else [*request.inputs, *request.outputs]:
            reason = backend.refusal(x)
            if reason is not None:
                return reason
        return backend.request_refusal(request) or why_not_recorded(backend, request)

    return _first(_named(name), request.inputs[0], refusal, name)[0]


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
    backend, refusals = _first(BACKENDS, x, lambda backend: backend.refusal(x), None)
    why = f"{backend.does} {of(x).name}"
    native = dict.fromkeys(reason for refusing, reason in refusals if refusing.name == "native")
    if native and backend.name != "native":
        why = f"{why}; native refused: {'; '.join(native)}"
    advice = next(filter(None, (refusing.faster(x) for refusing, _ in refusals)), None)
    return BackendChoice(backend.name, why, advice or (of(x).faster if backend.name == "generic" else None))


def _named(name: Any) -> Sequence[Backend]:
    if name is None:
        return BACKENDS
    if not isinstance(name, str):
        raise TypeError(f"backend is {name!r} ({type(name).__name__}); one of {', '.join(NAMES)} is expected")
    if name not in NAMES:
        raise ValueError(f"backend is {name!r}; one of {', '.join(NAMES)} is expected")
    return [backend for backend in BACKENDS if backend.name == name]


def _first(
    backends: Sequence[Backend], x: Array, refusal: Callable[[Backend], str | None], name: str | None
) -> tuple[Backend, list[tuple[Backend, str]]]:
    """The first backend that does not refuse, and those before it with their reasons."""
    refusals: list[tuple[Backend, str]] = []
    for backend in backends:
        if not backend.serves(x):
            continue
        reason = refusal(backend)
        if reason is None:
            return backend, refusals
        refusals.append((backend, reason))
    served = dict.fromkeys(framework for backend in backends for framework in backend.frameworks or ())
    reasons = "; ".join(dict.fromkeys(reason for _, reason in refusals))
    reasons = reasons or f"it works on arrays of {', '.join(served)}, not on {of(x).name}"
    which = "no backend can" if name is None else f"backend {name!r} cannot"
    raise BackendUnavailable(f"{which} rotate this: {reasons}")
