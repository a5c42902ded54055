"""A part of a larger array, a block or a shard: an array of its own, rotated by the backend of its own framework."""

from yarncore.backends.generic import GenericBackend
from yarncore.backends.native import NativeBackend
from yarncore.namespaces import Array
from yarncore.request.request import RotationRequest


def rotate_part(request: RotationRequest) -> Array:
    """The result of a request for one array, which has been checked with the whole."""
    native = NativeBackend()
    return (native if native.refusal(request.inputs[0]) is None else GenericBackend()).rotate(request)[0]
