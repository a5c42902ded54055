"""torch's CUDA tensors as addresses."""

from typing import Any

import numpy as np
import torch

from yarncore.backends.gpu.launches import Address
from yarncore.frameworks.framework import capture_error
from yarncore.frameworks.torch import bump_version, readable


class TorchDeviceMemory:
    """DeviceMemory of CUDA tensors."""

    def address(self, x: torch.Tensor) -> Address:
        size = x.element_size()
        kind = "f8" if x.dtype == torch.float64 else f"{'f' if size == 4 and x.is_floating_point() else 'i'}{size}"
        return x.data_ptr(), kind, tuple(x.shape), tuple(stride * size for stride in x.stride())

    def readable(self, x: torch.Tensor) -> torch.Tensor:
        return readable(x)

    def empty_like(self, x: torch.Tensor) -> torch.Tensor:
        return torch.empty_like(x)

    def mark_written(self, x: torch.Tensor) -> None:
        bump_version(x)

    def from_host(self, array: np.ndarray[Any, Any], like: torch.Tensor) -> torch.Tensor:
        if like.is_cuda and torch.cuda.is_current_stream_capturing():
            raise capture_error()
        return torch.from_numpy(array).to(like.device)

    def device(self, like: torch.Tensor) -> Any:
        return like.device

    def number(self, like: torch.Tensor) -> int:
        return int(like.device.index)

    def stream(self, like: torch.Tensor) -> int:
        return int(torch.cuda.current_stream(like.device).cuda_stream)

    def multiprocessors(self, like: torch.Tensor) -> int:
        return int(torch.cuda.get_device_properties(like.device).multi_processor_count)
