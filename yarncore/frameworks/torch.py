"""torch. Imported only where torch has been.

The private names of torch that are needed to ask what a tensor is stand here alone, tested by
tests/frameworks/test_torch.py.
"""

import sys
from contextlib import nullcontext
from typing import Any

import array_api_compat.torch
import numpy as np
import torch
from torch.autograd import forward_ad

from yarncore.frameworks.framework import Framework, capture_error
from yarncore.frameworks.layout import Layout


class Torch(Framework):
    """The answers for torch's tensors, on any device, traced or not."""

    takes_slots = True

    def namespace(self, x: Any) -> Any:
        return array_api_compat.torch

    def is_integer(self, x: Any) -> bool:
        return not (x.dtype.is_floating_point or x.dtype.is_complex or x.dtype is torch.bool)

    def is_traced(self, x: Any) -> bool:
        return x.device.type != "cpu" or is_virtual(x) or is_watched()

    def is_watched(self) -> bool:
        return is_watched()

    def is_virtual(self, x: Any) -> bool:
        return is_virtual(x) or is_watched()

    def makes_apart(self) -> Any:
        """Autograd may not save what was made in inference mode."""
        return torch.is_inference_mode_enabled()

    def is_recorded(self, x: Any) -> bool:
        return bool((torch.is_grad_enabled() and x.requires_grad) or is_wrapped(x) or forward_ad._current_level >= 0)

    def device(self, x: Any) -> Any:
        return x.device

    def layout(self, x: Any) -> Layout | None:
        if x.device.type not in ("cpu", "cuda") or is_virtual(x):
            return None
        size = x.element_size()
        return Layout(x.data_ptr(), tuple(x.shape), tuple(stride * size for stride in x.stride()), size)

    def on_host(self, x: Any) -> np.ndarray[Any, Any]:
        return x.detach().cpu().numpy()  # type: ignore[no-any-return]

    def broadcast(self, x: Any, shape: tuple[int, ...]) -> Any:
        return x.expand(shape)

    def kept(self, x: Any) -> Any:
        return x.detach() if is_virtual(x) or is_watched() else x.detach().clone()

    def write(self, target: Any, values: Any) -> None:
        target.copy_(values)

    def at_index(self, x: Any, index: tuple[np.ndarray[Any, Any], ...]) -> Any:
        return tuple(torch.from_numpy(np.ascontiguousarray(part)).to(x.device) for part in index)

    def indexable(self, x: Any) -> Any:
        signed = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}
        return x.view(signed[x.dtype]) if x.dtype in signed else x

    def check(self, name: str, x: Any) -> None:
        if x.is_nested:
            raise TypeError(f"{name} is a nested tensor; rotate {name}.values() with the positions of each token")
        if isinstance(x, torch.masked.MaskedTensor):
            raise TypeError(f"{name} is a masked tensor: its mask would be lost; give {name}.to_tensor(value)")
        if x.layout is not torch.strided:
            raise TypeError(f"{name} has layout {x.layout}; torch.strided is expected")
        if x.is_quantized:
            raise TypeError(f"{name} is quantized ({x.dtype}); a floating dtype is expected")
        self.check_storage(name, x)

    def check_storage(self, name: str, x: Any) -> None:
        """As FSDP takes it away between steps."""
        if not is_virtual(x) and x.numel() and x.untyped_storage().nbytes() == 0:
            raise ValueError(
                f"{name} has shape {tuple(x.shape)}, but its storage was resized to 0 bytes: it holds no values"
            )

    def check_positions(self, x: Any, name: str = "positions") -> None:
        if x.requires_grad:
            error = TypeError if name == "positions" else ValueError
            raise error(f"{name} requires grad; the rotation is not differentiated with respect to it")
        self.check_storage(name, x)

    def check_writable(self, name: str, x: Any) -> None:
        if torch.is_grad_enabled() and x.requires_grad and x.is_leaf:
            raise ValueError(
                f"{name} is a leaf that requires grad: rotating it in place cannot be recorded; use rotate, or rotate_ under "
                "torch.no_grad()"
            )
        if torch.compiler.is_compiling():
            return  # what follows is a matter of memory, of which there is none yet
        if torch.jit.is_tracing():
            raise ValueError(
                f"{name} cannot be written while torch.jit.trace or torch.onnx.export(dynamo=False) records: what is done to "
                "memory is not in its graph; use rotate, without out"
            )
        if x.is_neg():
            raise ValueError(f"{name} has its negative bit set: its memory holds other values; use x.resolve_neg()")
        if x.is_inference() and not torch.is_inference_mode_enabled():
            raise ValueError(f"{name} is an inference tensor; it can be changed in inference mode only")

    def placement(self, like: Any) -> dict[str, Any]:
        return {"device": like.device}

    def constant(self, xp: Any, value: Any, dtype: Any, like: Any) -> Any:
        if isinstance(value, (int, float)) and like is not None and like.device.type != "cpu":
            return xp.full((), value, dtype=dtype, device=like.device)  # filled there: nothing is copied from the host
        return super().constant(xp, value, dtype, like)

    def kept_beside(self, like: Any, arrays: tuple[np.ndarray[Any, Any], ...], copies: dict[Any, Any]) -> Any:
        """A captured graph may use them, but could not copy them. None beside tensors that stand for others."""
        if why_not_plain(like, like.device.type) is not None or is_wrapped(like):
            return None
        if like.device not in copies:
            with torch.inference_mode(False):  # they outlive this call
                copies[like.device] = tuple(torch.tensor(array, device=like.device) for array in arrays)
        return copies[like.device]

    def among(self, like: Any) -> Any:
        """The mode of a fake tensor: what is made beside it must be fake too."""
        return getattr(like, "fake_mode", None) or nullcontext()

    def rank_among(self, numbers: tuple[int, ...], values: Any, copies: dict[Any, Any]) -> Any:
        """By one launch on a device, which a captured graph can hold."""
        if is_virtual(values) or is_watched():
            return super().rank_among(numbers, values, copies)
        if values.device not in copies:
            if values.is_cuda and torch.cuda.is_current_stream_capturing():
                raise capture_error()
            copies[values.device] = torch.from_numpy(np.array(numbers, dtype=np.int64)).to(values.device)
        return torch.searchsorted(copies[values.device], values.to(torch.int64), out_int32=True)

    def default_float(self, xp: Any) -> Any:
        return torch.get_default_dtype()

    def symbol_as_array(self, name: str, value: Any, like: Any, least: int | None = None) -> Any:
        """Its value must not be compiled in: as a number it would be, and every length would be compiled anew."""
        if not torch.compiler.is_compiling() or isinstance(value, bool) or not isinstance(value, (int, torch.SymInt)):
            return value
        from torch.fx.experimental import symbolic_shapes  # torch.compile imported it before us

        # Of int(tensor) nothing is known: a plain question would end the trace. Before torch 2.8 there is only that.
        if least is not None and getattr(symbolic_shapes, "guard_or_false", bool)(value < least):
            raise ValueError(f"{name} is {int(value)}; a number of tokens >= {least} is expected")
        return torch.full((), value, dtype=torch.int64, device=like.device)


TORCH = Torch("torch")


def is_plain_type(x: torch.Tensor) -> bool:
    """Whether a tensor is of torch's own types, no subclass."""
    return type(x) in (torch.Tensor, torch.nn.Parameter)


def is_virtual(x: torch.Tensor) -> bool:
    """Whether a tensor stands for another: it is compiled or traced, a subclass, or wrapped by a transform."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing() or not is_plain_type(x) or is_wrapped(x)


def is_watched() -> bool:
    """Whether a tracer or a mode may record what is done to plain tensors: then no value may be read from them, and their
    memory must not be touched past the dispatcher.
    """
    if torch.compiler.is_compiling():
        return False  # it sees through Python itself
    return bool(torch.jit.is_tracing() or torch._C._len_torch_dispatch_stack() or function_mode_watches())


def function_mode_watches() -> bool:
    """Whether a function mode is active that may want to see what is done; a default device does not."""
    stack = [torch._C._get_function_stack_at(place) for place in range(torch._C._len_torch_function_stack())]
    return any(type(mode) is not torch.utils._device.DeviceContext for mode in stack)


def is_wrapped(x: torch.Tensor) -> bool:
    """Whether a transform of torch.func wraps a tensor."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(x))


def is_dtensor(x: object) -> bool:
    """Whether `x` is a DTensor."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(x, module.DTensor)


def why_not_plain(x: torch.Tensor, device: str = "cpu") -> str | None:
    """Why the memory of a tensor must not be touched directly by what works on one kind of device; None when it may.

    Fake and functional tensors export null pointers, DTensor foreign memory, and no mode sees what is written past the
    dispatcher.
    """
    if torch.compiler.is_compiling():
        return "torch.compile traces the call"
    if not is_plain_type(x):
        return f"{type(x).__module__}.{type(x).__qualname__} is a subclass of Tensor"
    if x.device.type != device:
        return f"the tensor is on {x.device}"
    if is_watched():
        return "torch.jit.trace records the call" if torch.jit.is_tracing() else "a dispatch mode is active"
    return None


def takes_operator(x: torch.Tensor) -> bool:
    """Whether torch.compile traces the call on a tensor that the extension will rotate: then by an operator of ours.

    An exported graph must run without yarncore: there, array operations.
    """
    if not torch.compiler.is_compiling() or torch.compiler.is_exporting():
        return False
    return is_plain_type(x) and x.device.type == "cpu"


def readable(x: torch.Tensor) -> torch.Tensor:
    """A tensor whose memory holds its values: the negative bit is resolved."""
    x = x.detach()
    return x.resolve_neg() if x.is_neg() else x


def bump_version(x: torch.Tensor) -> None:
    """Tell autograd that `x` was changed: a backward pass that saved it then raises instead of using wrong values."""
    if not x.is_inference():
        torch.autograd.graph.increment_version(x)
