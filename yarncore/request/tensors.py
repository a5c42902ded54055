"""Which arrays can be rotated: their types, and what each wrong one is told."""

from typing import Any

import numpy as np

from yarncore.namespaces import Array, device_of, is_array, is_numpy, is_torch, is_virtual

ROTATABLE = ("float64", "float32", "bfloat16", "float16")
_ARRAYS = "an array of NumPy, torch, JAX, CuPy, Dask or any array-API framework"
_ELEMENTS = "float64, float32, bfloat16 or float16"


def element_type(x: Array) -> str | None:
    """float64, float32, bfloat16 or float16; None for any other dtype."""
    dtype = x.dtype
    name = dtype.name if is_numpy(x) else str(dtype).rpartition(".")[2]
    return name if name in ROTATABLE else None


def check_array(name: str, x: Any) -> None:
    """Raise TypeError unless `x` is an array that can be rotated."""
    if not is_array(x) or isinstance(x, np.generic):
        raise TypeError(f"{name} is {_short(x)} ({type(x).__name__}); {_ARRAYS} is expected")
    if is_numpy(x):
        _check_numpy_type(name, x)
    elif is_torch(x):
        _check_torch_layout(name, x)
    if element_type(x) is None:
        integer = "; cast it first" if "int" in str(x.dtype) else ""
        raise TypeError(f"{name} has dtype {x.dtype}; {_ELEMENTS} is expected{integer}")


def _check_numpy_type(name: str, x: np.ndarray[Any, Any]) -> None:
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array: its mask would be lost; give {name}.filled(...) or {name}.data")
    if isinstance(x, np.matrix):
        raise TypeError(f"{name} is a numpy.matrix, which has no axis of heads; give np.asarray({name})")
    if type(x) not in (np.ndarray, np.memmap, np.recarray):
        kind = f"{type(x).__module__}.{type(x).__qualname__}"
        raise TypeError(f"{name} is a {kind}: what makes it one would be lost; give np.asarray({name})")


def _check_torch_layout(name: str, x: Any) -> None:
    import torch

    if x.is_nested:
        raise TypeError(f"{name} is a nested tensor; rotate {name}.values() with the positions of each token")
    if isinstance(x, torch.masked.MaskedTensor):
        raise TypeError(f"{name} is a masked tensor: its mask would be lost; give {name}.to_tensor(value)")
    if x.layout is not torch.strided:
        raise TypeError(f"{name} has layout {x.layout}; torch.strided is expected")
    if x.is_quantized:
        raise TypeError(f"{name} is quantized ({x.dtype}); {_ELEMENTS} is expected")
    check_storage(name, x)


def check_storage(name: str, x: Any) -> None:
    """Raise ValueError where the memory of a torch tensor was taken away, as FSDP does between steps."""
    if not is_virtual(x) and x.numel() and x.untyped_storage().nbytes() == 0:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}, but its storage was resized to 0 bytes: it holds no values"
        )


def check_device(name: str, array: Any, q: Array) -> None:
    """Raise ValueError where an array that goes with `q` lives on another device, of a framework that moves nothing."""
    if device_of(array) is not None and device_of(q) is not None and array.device != q.device:
        raise ValueError(f"{name} is on {array.device} and q on {q.device}; the same device is expected")


def _short(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."
