// What the host works out before a launch, without CUDA: the same for the extension, for CuPy and for the tests.
#pragma once

#include <vector>

#include "../request.h"
#include "kernel_request.h"

namespace yarncore::cuda {

// The rows of turns on the device, (rows, 5, pairs), and their factors; null where row 0 goes by value.
struct DeviceTable {
  const uint32_t* words;
  const double* factors;
};

// Whether the kernel turns elements of a type.
constexpr bool has_kernel(ElementType type) {
  switch (type) {
    case ElementType::float32:
    case ElementType::bfloat16:
    case ElementType::float16: return true;
    case ElementType::float64: return false;
  }
  return false;
}

// One launch: which kernel, with how many blocks, and its parameter.
struct Launch {
  PagedKernelRequest request;  // where it is not `paged`, the kernel takes the part that is a KernelRequest
  bool paged;
  ElementType type;
  int bytes;  // of an access
  bool interleaved;
  uint32_t grid;    // how many blocks are launched: each does every grid-th of request.blocks
  uint32_t shared;  // bytes of shared memory
};

// The launches that carry out a request whose pointers are a device's: one where q and k have one type, none where
// there is nothing to turn. Throws std::invalid_argument for what the kernel does not do.
std::vector<Launch> plan(const Request& request, const DeviceTable& table, int multiprocessors);

// The same for a request whose tokens are on their way out of pools or into them. `other`: of the other turns, where
// there are any, always on the device.
std::vector<Launch> plan_paged(const Request& request, const DeviceTable& table, const DeviceTable& other,
                               int multiprocessors);

}  // namespace yarncore::cuda
