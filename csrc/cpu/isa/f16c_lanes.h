// Lanes of 4 and 8 for the units whose CPUs convert float16. Unnamed: each unit has its own.
#pragma once

#include <immintrin.h>

#include "../vector_lanes.h"

namespace yarncore::cpu {
namespace {

struct Lanes4 : VectorLanes<4, Lanes4> {
  static constexpr bool narrowest = true;
  using Narrowest = Lanes4;
  static inline U64 mul32(U64 a, U64 b) {
    return reinterpret_cast<U64>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
  }
  static inline F32 widen_float16(U16 bits) {
    return reinterpret_cast<F32>(_mm_cvtph_ps(_mm_cvtsi64_si128(reinterpret_cast<long long>(bits))));
  }
  static inline U16 narrow_float16(F32 value) {
    return reinterpret_cast<U16>(
        _mm_cvtsi128_si64(_mm_cvtps_ph(reinterpret_cast<__m128>(value), _MM_FROUND_TO_NEAREST_INT)));
  }
};

struct Lanes8 : VectorLanes<8, Lanes8> {
  static constexpr bool narrowest = false;
  using Narrower = Lanes4;
  using Narrowest = Lanes4;
  static inline U64 mul32(U64 a, U64 b) {
    return reinterpret_cast<U64>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
  }
  static inline U64 load_bytes(const uint8_t* from) {
    return reinterpret_cast<U64>(_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(load<int>(from))));
  }
  template <class V>
  static inline void stream(void* to, V v) {
    if constexpr (sizeof v == 32)
      _mm256_stream_si256(static_cast<__m256i*>(to), reinterpret_cast<__m256i>(v));
    else
      stream_in_parts(to, v);
  }
  static inline F32 widen_float16(U16 bits) {
    return reinterpret_cast<F32>(_mm256_cvtph_ps(reinterpret_cast<__m128i>(bits)));
  }
  static inline U16 narrow_float16(F32 value) {
    return reinterpret_cast<U16>(_mm256_cvtps_ph(reinterpret_cast<__m256>(value), _MM_FROUND_TO_NEAREST_INT));
  }
};

}  // namespace
}  // namespace yarncore::cpu
