"""What backends with kernels for GPUs share: which arrays they take, and how a request becomes launches."""

from dataclasses import replace
from typing import Any

from yarncore.backends.backend import Backend
from yarncore.backends.gpu.launches import DeviceMemory, launches, request_refusal, type_refusal
from yarncore.backends.gpu.paged import paged_launches, paged_refusal
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import of
from yarncore.request.paged import PagedRequest
from yarncore.request.request import RotationRequest


class DeviceBackend(Backend):
    """A backend that launches the kernel on torch's CUDA tensors and CuPy arrays; a subclass says how."""

    frameworks = ("torch", "cupy")
    past_framework = True

    def why_unavailable(self) -> str | None:
        """Why no kernel can be launched here; None where one can."""
        raise NotImplementedError

    def launch(self, plan: list[Any], memory: DeviceMemory, like: Array) -> None:
        """Queue the launches on the current stream of the device of `like`."""
        raise NotImplementedError

    def memory_of(self, x: Array) -> DeviceMemory:
        """How the framework of an array shows its memory."""
        if of(x).name == "torch":
            from yarncore.backends.gpu.torch_memory import TorchDeviceMemory

            return TorchDeviceMemory()
        from yarncore.backends.gpu.cupy_memory import CupyDeviceMemory

        return CupyDeviceMemory()

    def refusal(self, x: Array) -> str | None:
        if of(x).name == "torch":
            from yarncore.frameworks.torch import why_not_plain

            reason = why_not_plain(x, "cuda")
            if reason is not None:
                return reason
        return self.why_unavailable() or type_refusal(x)

    def request_refusal(self, request: RotationRequest) -> str | None:
        return request_refusal(request)

    def rotate(self, request: RotationRequest) -> list[Array]:
        memory = self.memory_of(request.inputs[0])
        inputs = request.inputs if request.in_place else [memory.readable(x) for x in request.inputs]
        results = request.outputs if request.outputs is not None else [memory.empty_like(x) for x in inputs]
        outputs = inputs if request.in_place else request.outputs
        plan, kept = launches(replace(request, inputs=inputs, outputs=outputs), results, memory)
        self.launch(plan, memory, inputs[0])
        for y in request.outputs or []:
            memory.mark_written(y)
        del kept  # queued: a caching allocator gives its memory out again only behind the kernel, on the same stream
        return results

    def paged_refusal(self, request: PagedRequest) -> str | None:
        for transfer in request.transfers:
            for x in transfer.arrays:
                reason = self.refusal(x) if transfer.turns else self.refusal(request.transfers[0].source)
                if reason is not None:
                    return reason
        return paged_refusal(request)

    def move(self, request: PagedRequest) -> list[Array]:
        if request.reads_what_it_writes() is not False:  # or what cannot be known without waiting
            request = request.read_before()
        like = request.transfers[0].source
        memory = self.memory_of(like)
        transfers = [replace(t, source=memory.readable(t.source)) for t in request.transfers]
        targets = [memory.empty_like(t.source) if t.target is None else t.target for t in transfers]
        plan, kept = paged_launches(replace(request, transfers=transfers), targets, memory)
        self.launch(plan, memory, like)
        for y in targets:
            memory.mark_written(y)
        del kept
        return targets
