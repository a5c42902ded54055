"""What torch adds: which tensors are plain memory, and how they are seen as such.

The private names of torch that this needs stand here alone, tested by tests/backends/test_torch.py.
"""

from contextlib import nullcontext
from typing import Any

import torch
from torch.autograd import forward_ad

from yarncore.backends.native import extension
from yarncore.namespaces import function_mode_watches, is_watched
from yarncore.turns import TurnsTable


def why_not_plain(x: torch.Tensor, device: str = "cpu") -> str | None:
    """Why the memory of a tensor must not be touched directly by what works on one kind of device; None when it may.

    Fake and functional tensors export null pointers, DTensor foreign memory, and no mode sees what is written past the
    dispatcher.
    """
    if torch.compiler.is_compiling():
        return "torch.compile traces the call"
    if type(x) is not torch.Tensor and type(x) is not torch.nn.Parameter:
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
    return type(x) in (torch.Tensor, torch.nn.Parameter) and x.device.type == "cpu"


def is_recorded(x: torch.Tensor) -> bool:
    """Whether torch differentiates or transforms what happens to a tensor: then it must go through a function of torch's."""
    return bool(
        (torch.is_grad_enabled() and x.requires_grad)
        or torch._C._functorch.is_functorch_wrapped_tensor(x)
        or forward_ad._current_level >= 0
    )


def table_on_device(table: TurnsTable, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The words (int64) and factors of a table as tensors beside `like`, copied there once: a captured graph may use them,
    but could not copy them. None for tensors that stand for others, to which nothing real may be added.
    """
    if why_not_plain(like, like.device.type) is not None or torch._C._functorch.is_functorch_wrapped_tensor(like):
        return None
    key = ("generic", like.device)
    if key not in table.on_devices:
        arrays = table.words_int64, table.factors_float64
        with torch.inference_mode(False):  # they outlive this call
            table.on_devices[key] = tuple(torch.tensor(array, device=like.device) for array in arrays)
    return table.on_devices[key]  # type: ignore[no-any-return]


def fake_mode_of(x: torch.Tensor) -> Any:
    """The mode that a fake tensor belongs to, to be entered: what we make beside it must be fake too."""
    return getattr(x, "fake_mode", None) or nullcontext()


_registered = False


def register_once() -> bool:
    """Hand the extension what it needs to read tensors without torch's headers: see csrc/python/torch_tensors.cpp.

    A torch without DLPack's exchange table (before 2.10) is not registered, and its tensors go through this module.
    Returns whether it is.
    """
    global _registered
    table = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    if _registered or table is None:
        return _registered
    functions = (
        torch._C._len_torch_dispatch_stack,
        torch._C._len_torch_function_stack,
        torch.is_grad_enabled,
        torch.is_inference_mode_enabled,
        torch._C._is_tracing,
        function_mode_watches,
        torch.Tensor.requires_grad,
        torch.Tensor._version,
        torch.Tensor.is_neg,
        torch._C._increment_version,
        torch.empty_like,
    )
    extension().register_torch((torch.Tensor, torch.nn.Parameter), table, functions, vars(forward_ad))
    _registered = True
    return True


def as_numpy(x: torch.Tensor) -> Any:
    """The memory of a plain CPU tensor as a NumPy array; 16-bit elements as uint16."""
    x = x.detach()
    if x.is_neg():
        x = x.resolve_neg()
    if x.element_size() == 2:
        x = x.view(torch.uint16)
    return x.numpy()


def bump_version(x: torch.Tensor) -> None:
    """Tell autograd that `x` was changed: a backward pass that saved it then raises instead of using wrong values."""
    if not x.is_inference():
        torch.autograd.graph.increment_version(x)
