// AVX2 and F16C.
#include <immintrin.h>

#include "../rotate_rows.h"

namespace yarncore::cpu {
namespace {

struct Lanes : VectorLanes<8, Lanes> {
  static inline U64 mul32(U64 a, U64 b) {
    return reinterpret_cast<U64>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
  }
  static inline F32 widen_float16(U16 bits) {
    return reinterpret_cast<F32>(_mm256_cvtph_ps(reinterpret_cast<__m128i>(bits)));
  }
  static inline U16 narrow_float16(F32 value) {
    return reinterpret_cast<U16>(_mm256_cvtps_ph(reinterpret_cast<__m256>(value), _MM_FROUND_TO_NEAREST_INT));
  }
};

}  // namespace

extern constexpr KernelTable avx2_kernels = {"avx2", &rotate_tokens<Lanes>};

}  // namespace yarncore::cpu
