"""The host in the place of a GPU, as a backend for torch's tensors on the CPU."""

import host_kernel
import torch

from yarncore.backends.gpu.device import DeviceBackend
from yarncore.backends.gpu.torch_memory import TorchDeviceMemory
from yarncore.frameworks.torch import why_not_plain


class HostMemory(TorchDeviceMemory):
    def from_host(self, array, like):
        return torch.from_numpy(array.copy())

    def number(self, like):
        return 0

    def stream(self, like):
        return 0

    def multiprocessors(self, like):
        return 8


class HostBackend(DeviceBackend):
    name = "host"
    does = "the host in the place of a GPU, on"
    launches = 0

    def refusal(self, x):
        return why_not_plain(x)

    def why_unavailable(self):
        return None

    def memory_of(self, x):
        return HostMemory()

    def launch(self, plan, memory, like):
        for one in plan:
            self.launches += 1
            host_kernel.run(one)
