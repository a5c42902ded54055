"""What a backend is."""

from typing import Protocol

from yarncore.namespaces import Array
from yarncore.request import RotationRequest


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
