"""What a backend is."""

from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import of
from yarncore.request.paged import PagedRequest
from yarncore.request.request import RotationRequest


class Backend:
    """A way to carry out a rotation.

    Attributes
    ----------
    name : str
        What a caller insists on; several share one where the kinds of array differ.
    does : str
        How, in words that the name of a framework follows.
    frameworks : tuple of str, or None
        Whose arrays it rotates; None: any framework's.
    past_framework : bool
        Whether it reads and writes memory without the framework seeing it: what is recorded has to be wrapped.
    """

    name: str
    does: str
    frameworks: tuple[str, ...] | None = None
    past_framework = False

    def serves(self, x: Array) -> bool:
        """Whether arrays such as `x` are its business at all: it is neither asked nor named where they are not."""
        return self.frameworks is None or of(x).name in self.frameworks

    def refusal(self, x: Array) -> str | None:
        """Why this backend cannot rotate `x`, an array of its frameworks; None when it can."""
        return None

    def request_refusal(self, request: RotationRequest) -> str | None:
        """Why this backend cannot carry out the request, beyond its arrays; None when it can."""
        return None

    def faster(self, x: Array) -> str | None:
        """What to change so that this backend, which refuses `x`, takes it; None where nothing would help."""
        return None

    def rotate(self, request: RotationRequest) -> list[Array]:
        """The results, which are request.outputs where those are given."""
        raise NotImplementedError

    def paged_refusal(self, request: PagedRequest) -> str | None:
        """Why this backend has no kernel that carries out a request of slots in one pass; None where it has."""
        return "it has no kernel that writes to slots of another array"

    def move(self, request: PagedRequest) -> list[Array]:
        """The targets of the request's transfers, written in one pass."""
        raise NotImplementedError


def delivered(request: RotationRequest, results: list[Array]) -> list[Array]:
    """The results, written to where the request wants them if it says so; torch records that, in place too."""
    if request.outputs is None:
        return results
    for y, result in zip(request.outputs, results, strict=True):
        of(y).write(y, result)
    return request.outputs
