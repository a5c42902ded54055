"""The extension under torch.compile: one operator of ours in the graph, which runs it."""

from yarncore.backends.backend import Backend
from yarncore.backends.native.extension import MISSING, type_or_shape_refusal
from yarncore.frameworks.framework import Array
from yarncore.request.request import RotationRequest
from yarncore.request.tensors import element_type
from yarncore.turns.given import GivenTables
from yarncore.turns.traced import TracedTurns


class TracedTorchBackend(Backend):
    """yarncore._core on torch CPU tensors that torch.compile traces."""

    name = "native"
    does = "one operator, which runs the extension, in the compiled graph of"
    frameworks = ("torch",)
    past_framework = False  # the operator has derivatives of its own

    def serves(self, x: Array) -> bool:
        if not super().serves(x):
            return False
        from yarncore.frameworks.torch import takes_operator

        return takes_operator(x)

    def refusal(self, x: Array) -> str | None:
        if not self.serves(x):  # k beside a q that it serves
            return "torch.compile does not trace the call on a plain CPU tensor"
        if MISSING is not None:
            return MISSING
        return type_or_shape_refusal(x)

    def request_refusal(self, request: RotationRequest) -> str | None:
        if isinstance(request.record.turns, TracedTurns):
            return "the frequencies are traced or on a device"
        return None if request.slots is None else "the call is traced"

    def rotate(self, request: RotationRequest) -> list[Array]:
        tables = _tables_of(request)
        if tables is not None:
            from yarncore.backends.torch.tables import rotate_by_tables

            return rotate_by_tables(request, tables)
        from yarncore.backends.torch.operator import rotate_by_operator

        return rotate_by_operator(request)


def _tables_of(request: RotationRequest) -> GivenTables | None:
    """The cos and sin that a request is turned by: the caller's, or what was prepared; None: the operator makes its own."""
    turns, prepared = request.record.turns, request.prepared
    if isinstance(turns, GivenTables):
        return turns
    if prepared is None or prepared.tables is None or any(element_type(x) == "float64" for x in request.inputs):
        return None
    return GivenTables(*prepared.tables)
