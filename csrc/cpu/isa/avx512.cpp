// AVX-512 F, BW, DQ and VL: every server CPU that has AVX-512 at all since 2017.
#include <immintrin.h>

#include "../rotate_rows.h"

namespace yarncore::cpu {
namespace {

struct Lanes : VectorLanes<16, Lanes> {
  static inline U64 mul32(U64 a, U64 b) {
    return reinterpret_cast<U64>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
  }
  static inline F32 widen_float16(U16 bits) {
    return reinterpret_cast<F32>(_mm512_cvtph_ps(reinterpret_cast<__m256i>(bits)));
  }
  static inline U16 narrow_float16(F32 value) {
    return reinterpret_cast<U16>(_mm512_cvtps_ph(reinterpret_cast<__m512>(value), _MM_FROUND_TO_NEAREST_INT));
  }
};

}  // namespace

extern constexpr KernelTable avx512_kernels = {"avx512", &rotate_tokens<Lanes>};

}  // namespace yarncore::cpu
