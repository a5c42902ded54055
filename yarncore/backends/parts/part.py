"""A part of a larger array, a block or a shard: an array of its own, rotated by the backend of its own framework."""

from yarncore.backends.backend import Backend
from yarncore.backends.generic.expressions import GenericBackend
from yarncore.backends.native.host import NativeBackend
from yarncore.backends.torch.roads import rotate_by
from yarncore.backends.torch.traced import TracedTorchBackend
from yarncore.frameworks.framework import Array
from yarncore.request.request import RotationRequest

_BACKENDS: tuple[Backend, ...] = (TracedTorchBackend(), NativeBackend(), GenericBackend())


def rotate_part(request: RotationRequest) -> Array:
    """The result of a request for one array, which has been checked with the whole."""
    x = request.inputs[0]

    def takes(backend: Backend) -> bool:
        return backend.serves(x) and backend.refusal(x) is None and backend.request_refusal(request) is None

    return rotate_by(next(filter(takes, _BACKENDS)), request)[0]
