// The limits on a GPU: passes that only scale, only copy, or only find a token and copy it. Built and loaded by
// competitors.py.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace {

constexpr int threads = 256;

template <class T>
struct alignas(16) Vector {
  T value[16 / sizeof(T)];
};

template <class T>
__global__ void scale_kernel(Vector<T>* x, int64_t count, float factor) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= count) return;
  Vector<T> v = x[i];
  for (T& element : v.value) element = static_cast<T>(static_cast<float>(element) * factor);
  x[i] = v;
}

__global__ void copy_kernel(const uint4* in, uint4* out, int64_t count) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < count) out[i] = in[i];
}

// One token a group of blocks: its position is read, then its vectors are read and written.
__global__ void gather_kernel(uint4* q, uint4* k, const int64_t* positions, int of_q, int of_k, int parts) {
  const int token = blockIdx.x / parts, part = blockIdx.x % parts;
  const uint32_t changed = static_cast<uint32_t>(static_cast<uint64_t>(positions[token]) >> 63);  // 0
  for (int i = part * threads + threadIdx.x; i < of_q + of_k; i += parts * threads) {
    uint4* at = i < of_q ? q + int64_t{token} * of_q + i : k + int64_t{token} * of_k + i - of_q;
    uint4 v = *at;
    v.x ^= changed;
    *at = v;
  }
}

unsigned blocks_of(int64_t count) { return static_cast<unsigned>((count + threads - 1) / threads); }

}  // namespace

// `size` 4: float32, 2: bfloat16, 3: float16. `count`: vectors of 16 bytes.
extern "C" int scale(void* x, int64_t count, int size, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (size == 4) scale_kernel<<<blocks_of(count), threads, 0, on>>>(static_cast<Vector<float>*>(x), count, 1.0001f);
  if (size == 2)
    scale_kernel<<<blocks_of(count), threads, 0, on>>>(static_cast<Vector<__nv_bfloat16>*>(x), count, 1.0001f);
  if (size == 3) scale_kernel<<<blocks_of(count), threads, 0, on>>>(static_cast<Vector<__half>*>(x), count, 1.0001f);
  return cudaPeekAtLastError();
}

extern "C" int copy(const void* in, void* out, int64_t count, void* stream) {
  copy_kernel<<<blocks_of(count), threads, 0, static_cast<cudaStream_t>(stream)>>>(static_cast<const uint4*>(in),
                                                                                   static_cast<uint4*>(out), count);
  return cudaPeekAtLastError();
}

extern "C" int gather(void* q, void* k, const void* positions, int tokens, int of_q, int of_k, int parts,
                      void* stream) {
  gather_kernel<<<tokens * parts, threads, 0, static_cast<cudaStream_t>(stream)>>>(
      static_cast<uint4*>(q), static_cast<uint4*>(k), static_cast<const int64_t*>(positions), of_q, of_k, parts);
  return cudaPeekAtLastError();
}
