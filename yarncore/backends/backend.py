"""What a backend is."""

from typing import Protocol

from yarncore.namespaces import Array, is_torch
from yarncore.request.request import RotationRequest


class Backend(Protocol):
    """A way to carry out a rotation."""

    name: str
    does: str  # how, in words that the name of a framework follows

    def refusal(self, x: Array) -> str | None:
        """Why this backend cannot rotate `x`; None when it can."""
        ...

    def request_refusal(self, request: RotationRequest) -> str | None:
        """Why this backend cannot carry out the request, beyond its arrays; None when it can."""
        ...

    def rotate(self, request: RotationRequest) -> list[Array]:
        """The results, which are request.outputs where those are given."""
        ...


def delivered(request: RotationRequest, results: list[Array]) -> list[Array]:
    """The results, written to where the request wants them if it says so; torch records that, in place too."""
    if request.outputs is None:
        return results
    for y, result in zip(request.outputs, results, strict=True):
        if is_torch(y):
            y.copy_(result)
        else:
            y[...] = result
    return request.outputs


def is_recorded(request: RotationRequest) -> bool:
    """Whether torch differentiates or transforms a request: then it must go through a function of torch's."""
    if not is_torch(request.inputs[0]):
        return False
    from yarncore.backends.torch import is_recorded as is_tensor_recorded

    return any(is_tensor_recorded(x) for x in [*request.inputs, request.positions.array] if is_torch(x))
