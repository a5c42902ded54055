"""torch's CUDA tensors as addresses."""

from typing import Any

import numpy as np
import torch

from yarncore.backends.device_call import Address, capture_error


class TorchDeviceMemory:
    """DeviceMemory of CUDA tensors."""

    def address(self, x: torch.Tensor) -> Address:
        size = x.element_size()
        kind = "f8" if x.dtype == torch.float64 else f"{'f' if size == 4 and x.is_floating_point() else 'i'}{size}"
        return x.data_ptr(), kind, tuple(x.shape), tuple(stride * size for stride in x.stride())

    def from_host(self, array: np.ndarray[Any, Any], like: torch.Tensor) -> torch.Tensor:
        if like.is_cuda and torch.cuda.is_current_stream_capturing():
            raise capture_error()
        return torch.from_numpy(array).to(like.device)

    def device(self, like: torch.Tensor) -> Any:
        return like.device

    def multiprocessors(self, like: torch.Tensor) -> int:
        return int(torch.cuda.get_device_properties(like.device).multi_processor_count)


MEMORY = TorchDeviceMemory()


def rank_among(numbers: tuple[int, ...], values: torch.Tensor, copies: dict[Any, Any]) -> torch.Tensor:
    """How many of some rising numbers each value exceeds, int32; the numbers are kept on the device among `copies`."""
    key = ("steps", values.device)
    if key not in copies:
        copies[key] = MEMORY.from_host(np.array(numbers, dtype=np.int64), values)
    return torch.searchsorted(copies[key], values.to(torch.int64), out_int32=True)


def stream_of(x: torch.Tensor) -> int:
    """torch's current stream on the device of a tensor."""
    return int(torch.cuda.current_stream(x.device).cuda_stream)


def readable(x: torch.Tensor) -> torch.Tensor:
    """A tensor whose memory holds its values: the negative bit is resolved."""
    x = x.detach()
    return x.resolve_neg() if x.is_neg() else x
