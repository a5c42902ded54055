"""Which road a request takes: straight to a backend, or wrapped where torch records what happens."""

from yarncore.backends.backend import Backend
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import of
from yarncore.request.request import RotationRequest


def is_recorded(request: RotationRequest) -> bool:
    """Whether torch differentiates or transforms a request: then it must go through a function of torch's."""
    return any(of(x).is_recorded(x) for x in [*request.inputs, request.positions.array] if x is not None)


def why_not_recorded(backend: Backend, request: RotationRequest) -> str | None:
    """Why a request that is recorded cannot be wrapped around a backend; None where it can, or needs not."""
    if request.slots is None or not backend.past_framework or not is_recorded(request):
        return None
    return "gradients and transforms do not see what is done to slots"


def rotate_by(backend: Backend, request: RotationRequest) -> list[Array]:
    """The results of a backend, recorded where torch records."""
    if not backend.past_framework or not is_recorded(request):
        return backend.rotate(request)
    from yarncore.backends.torch.recorded import rotate_recorded

    return rotate_recorded(request, backend.rotate)
