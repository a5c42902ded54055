"""What backends with kernels for GPUs share: which arrays they take, and the road through torch's gradients."""

from typing import Any

from yarncore.backends.backend import is_recorded
from yarncore.backends.device_call import launches, request_refusal, type_refusal
from yarncore.namespaces import Array, framework_of, is_torch
from yarncore.request.request import RotationRequest


class DeviceBackend:
    """A backend that launches the kernel on torch's CUDA tensors and CuPy arrays; a subclass says how."""

    name: str
    does: str

    def why_unavailable(self) -> str | None:
        """Why no kernel can be launched here; None where one can."""
        raise NotImplementedError

    def launch(self, plan: list[Any], like: Array) -> None:
        """Queue the launches on the current stream of the device of `like`."""
        raise NotImplementedError

    def refusal(self, x: Array) -> str | None:
        framework = framework_of(x)
        if is_torch(x):
            from yarncore.backends.torch import why_not_plain

            reason = why_not_plain(x, "cuda")
            if reason is not None:
                return reason
        elif framework != "cupy":
            return f"its kernels work on torch CUDA tensors and CuPy arrays, not on {framework}"
        return self.why_unavailable() or type_refusal(x)

    def request_refusal(self, request: RotationRequest) -> str | None:
        if request.slots is not None and is_recorded(request):
            return "gradients and transforms do not see what is done to slots"
        return request_refusal(request)

    def rotate(self, request: RotationRequest) -> list[Array]:
        if is_recorded(request):
            from yarncore.backends.torch_autograd import rotate_recorded

            return rotate_recorded(request, self.rotate_plain)
        return self.rotate_plain(request)

    def rotate_plain(self, request: RotationRequest) -> list[Array]:
        """The same for memory that nobody watches."""
        like = request.inputs[0]
        if is_torch(like):
            import torch

            from yarncore.backends.torch import bump_version
            from yarncore.backends.torch_device import MEMORY, readable

            inputs = request.inputs if request.in_place else [readable(x) for x in request.inputs]
            results = request.outputs if request.outputs is not None else [torch.empty_like(x) for x in inputs]
            plan, kept = launches(_with_inputs(request, inputs), results, MEMORY)
            self.launch(plan, like)
            for y in request.outputs or []:
                bump_version(y)
        else:
            from yarncore.backends.cupy_device import MEMORY as CUPY_MEMORY
            from yarncore.backends.cupy_device import empty_like

            results = request.outputs if request.outputs is not None else [empty_like(x) for x in request.inputs]
            plan, kept = launches(request, results, CUPY_MEMORY)
            self.launch(plan, like)
        del kept  # queued: a caching allocator gives its memory out again only behind the kernel, on the same stream
        return results


def _with_inputs(request: RotationRequest, inputs: list[Array]) -> RotationRequest:
    from dataclasses import replace

    return replace(request, inputs=inputs, outputs=inputs if request.in_place else request.outputs)
