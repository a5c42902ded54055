"""What the extension is handed of torch: the functions that read tensors, and tensors as memory.

Imported only where torch has been.
"""

from typing import Any

import torch
from torch.autograd import forward_ad

from yarncore.backends.native.extension import extension
from yarncore.frameworks.torch import function_mode_watches, readable

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
    x = readable(x)
    return (x.view(torch.uint16) if x.element_size() == 2 else x).numpy()


def bits_as_numpy(x: torch.Tensor) -> Any:
    """The memory of a plain CPU tensor of any dtype as NumPy's: the size of its elements is the same."""
    of_size = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return x.detach().view(of_size.get(x.element_size(), x.dtype)).numpy()


def fresh_like(x: torch.Tensor) -> torch.Tensor:
    """A fresh tensor in the order of strides of `x`."""
    return extension().fresh_like(x) if register_once() else torch.empty_like(x)
