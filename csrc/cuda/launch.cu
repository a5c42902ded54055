#include "launch.h"

#include <cuda_runtime.h>

#include <cstdlib>
#include <stdexcept>

#include "paged.cuh"

namespace yarncore::cuda {
namespace {

// A kernel, whose one parameter is a KernelRequest or a PagedKernelRequest.
using Kernel = const void*;

template <ElementType type, int bytes, class R>
Kernel kernel_of(bool interleaved) {
  return interleaved ? reinterpret_cast<Kernel>(rotate<type, bytes, true, R>)
                     : reinterpret_cast<Kernel>(rotate<type, bytes, false, R>);
}

template <ElementType type, class R>
Kernel kernel_of(int bytes, bool interleaved) {
  switch (bytes) {
    case 16: return kernel_of<type, 16, R>(interleaved);
    case 8: return kernel_of<type, 8, R>(interleaved);
    case 4: return kernel_of<type, 4, R>(interleaved);
    default:
      if constexpr (element_size(type) == 2) return kernel_of<type, 2, R>(interleaved);
      return nullptr;
  }
}

template <ElementType type>
Kernel kernel_of_type(const Launch& launch) {
  return launch.paged ? kernel_of<type, PagedKernelRequest>(launch.bytes, launch.interleaved)
                      : kernel_of<type, KernelRequest>(launch.bytes, launch.interleaved);
}

Kernel kernel_of(const Launch& launch) {
  switch (launch.type) {
    case ElementType::float32: return kernel_of_type<ElementType::float32>(launch);
    case ElementType::bfloat16: return kernel_of_type<ElementType::bfloat16>(launch);
    case ElementType::float16: return kernel_of_type<ElementType::float16>(launch);
    case ElementType::float64: return nullptr;
  }
  return nullptr;
}

void check(cudaError_t error, const Launch& launch, const char* when) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string("CUDA error ") + when + " the rotation of " +
                           std::to_string(launch.request.tokens) + " tokens (" + std::to_string(launch.grid) +
                           " blocks): " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")");
}

// Makes a device current and the former one again.
class DeviceGuard {
 public:
  DeviceGuard(int device, const Launch& launch) {
    check(cudaGetDevice(&former_), launch, "before");
    if (device != former_) check(cudaSetDevice(device), launch, "before");
    changed_ = device != former_;
  }
  ~DeviceGuard() {
    if (changed_) cudaSetDevice(former_);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int former_ = 0;
  bool changed_ = false;
};

bool waits_for_kernels() {
  const char* value = std::getenv("CUDA_LAUNCH_BLOCKING");
  return value && value[0] == '1';
}

}  // namespace

std::string why_unavailable() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return "";
  cudaGetLastError();
  return std::string("there is no usable NVIDIA GPU: ") + (error ? cudaGetErrorString(error) : "none was found");
}

void launch(const Launch& launch, int device, void* stream) {
  const DeviceGuard guard(device, launch);
  // What an earlier kernel did wrong must not be laid to our charge.
  check(cudaPeekAtLastError(), launch, "of an earlier call, found before");
  const Kernel kernel = kernel_of(launch);
  if (!kernel) throw std::invalid_argument("there is no kernel for these elements");
  PagedKernelRequest request = launch.request;  // begins with what is a KernelRequest
  void* arguments[] = {&request};
  const auto on = static_cast<cudaStream_t>(stream);
  check(cudaLaunchKernel(kernel, dim3(launch.grid), dim3(threads_per_block), arguments, launch.shared, on), launch,
        "when launching");
  // Asked to by CUDA's own switch, so that an error shows at the call that caused it.
  if (waits_for_kernels()) {
    cudaStreamCaptureStatus captured = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(on, &captured), launch, "after");
    if (captured == cudaStreamCaptureStatusNone) check(cudaStreamSynchronize(on), launch, "in");
  }
}

}  // namespace yarncore::cuda
