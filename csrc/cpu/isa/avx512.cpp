// AVX-512 F, BW, DQ and VL: every server CPU that has AVX-512 at all since 2017.
#include "../rotate_tokens.h"
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
  // As in VectorLanes, in seven instructions: each selection and `up_from` is one.
  static inline U32 narrow_even_odd(F32 even, F32 odd) {
    constexpr int b_where_c_else_a = 0xd8, b_without_a_or_c = 0xae;
    const __m512i a = reinterpret_cast<__m512i>(even), b = reinterpret_cast<__m512i>(odd);
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
    const __m512i a_down = reinterpret_cast<__m512i>(reinterpret_cast<U32>(even) >> 16);
    const __m512i b_up = reinterpret_cast<__m512i>(reinterpret_cast<U32>(odd) << 16);
    const __m512i high = _mm512_ternarylogic_epi32(a_down, b, upper, b_where_c_else_a);
    const __m512i low = _mm512_ternarylogic_epi32(a, b_up, upper, b_where_c_else_a);
    const __m512i up_from = _mm512_ternarylogic_epi32(high, _mm512_set1_epi16(1),
                                                      _mm512_set1_epi16(static_cast<short>(0x8000)), b_without_a_or_c);
    return reinterpret_cast<U32>(
        _mm512_mask_sub_epi16(high, _mm512_cmpge_epu16_mask(low, up_from), high, _mm512_set1_epi16(-1)));
  }
  static inline F32 widen_float16(U16 bits) {
    return reinterpret_cast<F32>(_mm512_cvtph_ps(reinterpret_cast<__m256i>(bits)));
  }
  static inline U16 narrow_float16(F32 value) {
    return reinterpret_cast<U16>(_mm512_cvtps_ph(reinterpret_cast<__m512>(value), _MM_FROUND_TO_NEAREST_INT));
  }
};

}  // namespace

extern constexpr KernelTable avx512_kernels = {"avx512", &rotate_tokens<Lanes16>, &keep_rows<Lanes16>};

}  // namespace yarncore::cpu
