// Every block and every thread of the GPU's kernel, on the host: the very functions that the kernel calls.
// Between them the threads of a block wait for each other, so all do the first before one does the second.
#include <cstdlib>
#include <cstring>
#include <memory>

#include "../../csrc/cuda/paged.cuh"

using namespace yarncore;
using namespace yarncore::cuda;

namespace {

template <ElementType type, int bytes, bool interleaved, class R>
void run_blocks(const R& request, uint32_t grid, uint32_t shared) {
  std::unique_ptr<char, decltype(&std::free)> memory(
      static_cast<char*>(std::aligned_alloc(16, (shared + 15) / 16 * 16)), &std::free);
  for (uint32_t launched = 0; launched < grid; ++launched) {
    std::memset(memory.get(), 0xff, shared);  // what was not written is no number
    for (uint32_t thread = 0; thread < threads_per_block; ++thread) copy_words(request, thread, memory.get());
    for (int64_t block = launched; block < request.blocks; block += grid) {
      for (uint32_t thread = 0; thread < threads_per_block; ++thread) make_rows(request, block, thread, memory.get());
      // Backwards: no thread may count on what another one has done.
      for (uint32_t thread = threads_per_block; thread-- > 0;)
        turn_heads<type, bytes, interleaved>(request, block, thread, memory.get());
    }
  }
}

template <ElementType type, int bytes, class R>
void run_layout(const R& request, bool interleaved, uint32_t grid, uint32_t shared) {
  interleaved ? run_blocks<type, bytes, true>(request, grid, shared)
              : run_blocks<type, bytes, false>(request, grid, shared);
}

template <ElementType type, class R>
bool run_access(const R& request, int bytes, bool interleaved, uint32_t grid, uint32_t shared) {
  switch (bytes) {
    case 16: return run_layout<type, 16>(request, interleaved, grid, shared), true;
    case 8: return run_layout<type, 8>(request, interleaved, grid, shared), true;
    case 4: return run_layout<type, 4>(request, interleaved, grid, shared), true;
    case 2:
      if constexpr (element_size(type) == 2) return run_layout<type, 2>(request, interleaved, grid, shared), true;
  }
  return false;
}

}  // namespace

template <class R>
bool run_request(const void* parameter, const char* type, int bytes, bool interleaved, uint32_t grid, uint32_t shared) {
  R request;
  std::memcpy(&request, parameter, sizeof request);
  if (!std::strcmp(type, "float32")) return run_access<ElementType::float32>(request, bytes, interleaved, grid, shared);
  if (!std::strcmp(type, "bfloat16"))
    return run_access<ElementType::bfloat16>(request, bytes, interleaved, grid, shared);
  if (!std::strcmp(type, "float16")) return run_access<ElementType::float16>(request, bytes, interleaved, grid, shared);
  return false;
}

extern "C" int run(const void* parameter, const char* type, int bytes, int interleaved, uint32_t grid,
                   uint32_t shared) {
  return run_request<KernelRequest>(parameter, type, bytes, interleaved, grid, shared);
}
extern "C" int run_paged(const void* parameter, const char* type, int bytes, int interleaved, uint32_t grid,
                         uint32_t shared) {
  return run_request<PagedKernelRequest>(parameter, type, bytes, interleaved, grid, shared);
}

// The conversions of elements by themselves.
extern "C" void convert(const char* type, const uint32_t* from, uint16_t* to, float* back, int count) {
  for (int i = 0; i < count; ++i)
    if (!std::strcmp(type, "bfloat16")) {
      to[i] = Element<ElementType::bfloat16>::store(float_of_bits(from[i]));
      back[i] = Element<ElementType::bfloat16>::load(static_cast<uint16_t>(from[i]));
    } else {
      to[i] = Element<ElementType::float16>::store(float_of_bits(from[i]));
      back[i] = Element<ElementType::float16>::load(static_cast<uint16_t>(from[i]));
    }
}
