"""The kernel compiled at run time through CuPy: not there yet, and it says so."""

from yarncore.namespaces import Array, framework_of
from yarncore.request import RotationRequest


class CupyBackend:
    """Insisted upon by backend="cupy"; CuPy arrays are rotated by the generic backend until its kernel exists."""

    name = "cupy"
    does = "a compiled kernel on"

    def refusal(self, x: Array) -> str | None:
        if framework_of(x) != "cupy":
            return f"it works on CuPy arrays, not on {framework_of(x)}"
        return "this version of yarncore has no CUDA kernel yet"

    def request_refusal(self, request: RotationRequest) -> str | None:
        return None

    def rotate(self, request: RotationRequest) -> list[Array]:
        raise NotImplementedError("refusal() is never None")
