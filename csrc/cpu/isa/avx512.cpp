// AVX-512 F, BW, DQ and VL: every server CPU that has AVX-512 at all since 2017.
#include "../rotate_rows.h"
#include "f16c_lanes.h"

namespace yarncore::cpu {
namespace {

struct Lanes16 : VectorLanes<16, Lanes16> {
  static constexpr bool narrowest = false;
  using Narrower = Lanes8;
  using Narrowest = Lanes4;
  static inline U64 mul32(U64 a, U64 b) {
    return reinterpret_cast<U64>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
  }
  static inline U64 load_bytes(const uint8_t* from) {
    return reinterpret_cast<U64>(_mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
  }
  static inline F64 of_signed(U64 bits) {
    return reinterpret_cast<F64>(_mm512_cvtepi64_pd(reinterpret_cast<__m512i>(bits)));
  }
  static inline F64 of_word(U64 word) { return of_signed(word); }
  template <class V>
  static inline void stream(void* to, V v) {
    if constexpr (sizeof v == 64)
      _mm512_stream_si512(static_cast<__m512i*>(to), reinterpret_cast<__m512i>(v));
    else
      _mm256_stream_si256(static_cast<__m256i*>(to), reinterpret_cast<__m256i>(v));
  }
  static inline F32 widen_float16(U16 bits) {
    return reinterpret_cast<F32>(_mm512_cvtph_ps(reinterpret_cast<__m256i>(bits)));
  }
  static inline U16 narrow_float16(F32 value) {
    return reinterpret_cast<U16>(_mm512_cvtps_ph(reinterpret_cast<__m512>(value), _MM_FROUND_TO_NEAREST_INT));
  }
};

}  // namespace

extern constexpr KernelTable avx512_kernels = {"avx512", &rotate_tokens<Lanes16>};

}  // namespace yarncore::cpu
