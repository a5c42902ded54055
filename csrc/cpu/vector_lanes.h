// Lanes of any width from the compiler's vector types: one text for every instruction set. A unit derives its
// Lanes from VectorLanes and replaces what its instructions do better.
//
// Everything here is a template over a tag from the unit's unnamed namespace, so that nothing it emits can be
// shared with another unit: the linker would keep one copy of a weak symbol, perhaps one this CPU cannot run.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace yarncore::cpu {

// The compiler's vector types for registers of 16, 32 and 64 bytes; GCC does not accept a dependent vector_size.
template <int width>
struct VectorTypes;
template <>
struct VectorTypes<4> {
  typedef uint8_t U8Wide __attribute__((vector_size(2)));
  typedef float F32 __attribute__((vector_size(16)));
  typedef uint32_t U32 __attribute__((vector_size(16)));
  typedef uint16_t U16 __attribute__((vector_size(8)));
  typedef uint16_t U16Pairs __attribute__((vector_size(16)));
  typedef double F64 __attribute__((vector_size(16)));
  typedef uint64_t U64 __attribute__((vector_size(16)));
  typedef uint32_t U32Half __attribute__((vector_size(8)));
  typedef float F32Half __attribute__((vector_size(8)));
};
template <>
struct VectorTypes<8> {
  typedef uint8_t U8Wide __attribute__((vector_size(4)));
  typedef float F32 __attribute__((vector_size(32)));
  typedef uint32_t U32 __attribute__((vector_size(32)));
  typedef uint16_t U16 __attribute__((vector_size(16)));
  typedef uint16_t U16Pairs __attribute__((vector_size(32)));
  typedef double F64 __attribute__((vector_size(32)));
  typedef uint64_t U64 __attribute__((vector_size(32)));
  typedef uint32_t U32Half __attribute__((vector_size(16)));
  typedef float F32Half __attribute__((vector_size(16)));
};
template <>
struct VectorTypes<16> {
  typedef uint8_t U8Wide __attribute__((vector_size(8)));
  typedef float F32 __attribute__((vector_size(64)));
  typedef uint32_t U32 __attribute__((vector_size(64)));
  typedef uint16_t U16 __attribute__((vector_size(32)));
  typedef uint16_t U16Pairs __attribute__((vector_size(64)));
  typedef double F64 __attribute__((vector_size(64)));
  typedef uint64_t U64 __attribute__((vector_size(64)));
  typedef uint32_t U32Half __attribute__((vector_size(32)));
  typedef float F32Half __attribute__((vector_size(32)));
};

template <int width_, class Unit>
struct VectorLanes {
  static constexpr int width = width_;     // float32 lanes of a register
  static constexpr int wide = width_ / 2;  // double and 64-bit lanes

  using F32 = typename VectorTypes<width_>::F32;
  using U32 = typename VectorTypes<width_>::U32;
  using U16 = typename VectorTypes<width_>::U16;            // as many lanes as F32 has
  using U16Pairs = typename VectorTypes<width_>::U16Pairs;  // a whole register
  using F64 = typename VectorTypes<width_>::F64;
  using U64 = typename VectorTypes<width_>::U64;
  using U32Half = typename VectorTypes<width_>::U32Half;  // as many lanes as F64 has
  using F32Half = typename VectorTypes<width_>::F32Half;

  template <class V>
  static inline V load(const void* from) {
    V v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
  }
  template <class V>
  static inline void store(void* to, V v) {
    __builtin_memcpy(to, &v, sizeof v);
  }
  // Past the caches, where the platform has such stores; `to` is aligned to 16 bytes, for a whole register to that.
  template <class V>
  static inline void stream_in_parts(void* to, V v) {
#if defined(__x86_64__)
    if constexpr (sizeof v >= 16) {
      __m128i parts[sizeof v / 16];
      __builtin_memcpy(parts, &v, sizeof v);
      for (size_t i = 0; i < sizeof v / 16; ++i) _mm_stream_si128(static_cast<__m128i*>(to) + i, parts[i]);
      return;
    }
#endif
    store(to, v);
  }
  template <class V>
  static inline void stream(void* to, V v) {
    Unit::stream_in_parts(to, v);
  }
  // Before another thread may read what was streamed.
  static inline void finish_streaming() {
#if defined(__x86_64__)
    _mm_sfence();
#endif
  }

  // What rotation_math.h asks of its Ops.
  static inline U64 u64(uint64_t value) { return U64{} + value; }
  static inline F64 f64(double value) { return F64{} + value; }
  static inline F64 as_f64(U64 bits) { return reinterpret_cast<F64>(bits); }
  static inline U64 as_u64(F64 value) { return reinterpret_cast<U64>(value); }
  static inline U64 mul32(U64 a, U64 b) { return (a & u64(0xffffffffu)) * (b & u64(0xffffffffu)); }

  static inline U64 load_bytes(const uint8_t* from) {
    return __builtin_convertvector(load<typename VectorTypes<width_>::U8Wide>(from), U64);
  }
  static inline auto equal(U64 lanes, int64_t value) { return lanes == u64(static_cast<uint64_t>(value)); }
  static inline F64 where(U64 condition, F64 yes, F64 no) { return condition != 0 ? yes : no; }
  // A signed integer, rounded once: the upper half under the exponent of 2^84, biased, the lower under that of 2^52;
  // without the exponents the upper is exact.
  static inline F64 of_signed(U64 bits) {
    const F64 high = as_f64((bits >> 32) ^ u64(0x4530000080000000u)) - f64(0x1p84 + 0x1p63 + 0x1p52);
    return high + as_f64((bits & u64(0xffffffffu)) | u64(0x4330000000000000u));
  }
  // An unsigned integer below 2^32, exactly.
  static inline F64 of_word(U64 word) { return as_f64(word | u64(0x4330000000000000u)) - f64(0x1p52); }

  static inline void store_rounded(float* to, F64 v) { store(to, __builtin_convertvector(v, F32Half)); }

  // A bfloat16 is the upper half of a float. A register holds neighbours in 32-bit lanes, and is widened to the
  // even ones and the odd ones: no lane moves.
  static inline F32 widen_even(U32 bits) { return reinterpret_cast<F32>(bits << 16); }
  static inline F32 widen_odd(U32 bits) { return reinterpret_cast<F32>(bits & 0xffff0000u); }
  // Rounding to nearest even in integers, both halves at once, needs no test for NaN: an operand widened from
  // bfloat16 has a zero low half, cos and sin are finite, and a default NaN has a zero low half too.
  static inline U32 narrow_even_odd(F32 even, F32 odd) {
    const U32 a = reinterpret_cast<U32>(even), b = reinterpret_cast<U32>(odd);
    const U16Pairs high = reinterpret_cast<U16Pairs>((a >> 16) | (b & 0xffff0000u));
    const U16Pairs low = reinterpret_cast<U16Pairs>((a & 0xffffu) | (b << 16));
    // Up from above one half, and from one half where the last kept bit is odd.
    const U16Pairs up_from = (~high & uint16_t{1}) | uint16_t{0x8000};
    return reinterpret_cast<U32>(high - reinterpret_cast<U16Pairs>(low >= up_from));
  }

  // float16 by arithmetic on bits, for sets without the conversion instruction.
  static inline F32 widen_float16(U16 bits16) {
    const U32 bits = __builtin_convertvector(bits16, U32);
    const U32 sign = (bits & 0x8000u) << 16, magnitude = (bits & 0x7fffu) << 13;
    // Moving the exponent by a multiplication also normalises denormals; infinity and NaN keep all exponent bits.
    const U32 special = (U32)((bits & 0x7c00u) == 0x7c00u) & 0x7f800000u;
    const F32 scaled = reinterpret_cast<F32>(magnitude) * 0x1p112f;
    return reinterpret_cast<F32>((reinterpret_cast<U32>(scaled) | special) | sign);
  }
  static inline U16 narrow_float16(F32 value) {
    const U32 all = reinterpret_cast<U32>(value);
    const U32 sign = (all >> 16) & 0x8000u, bits = all & 0x7fffffffu;
    // Normal results: round to nearest even at bit 13; a carry goes into the exponent, up to infinity.
    const U32 normal = (bits - 0x38000000u + 0xfffu + ((bits >> 13) & 1u)) >> 13;
    // Denormal results: adding 0.5 puts the last kept bit where float32 rounds.
    const U32 denormal = reinterpret_cast<U32>(reinterpret_cast<F32>(bits) + 0.5f) - 0x3f000000u;
    const U32 is_denormal = (U32)(bits < 0x38800000u), is_large = (U32)(bits >= 0x47800000u);
    const U32 is_nan = (U32)(bits > 0x7f800000u);
    const U32 large = 0x7c00u | (is_nan & 0x200u);
    const U32 magnitude = (is_denormal & denormal) | (~is_denormal & ((is_large & large) | (~is_large & normal)));
    return __builtin_convertvector(magnitude | sign, U16);
  }

  // Neighbours change places: each lane of an interleaved pair gets its partner.
  template <class V>
  static inline V partners(V v) {
    return partners_of(v, typename Sequence<lanes<V>>::type{});
  }
  // Each lane of the lower half twice.
  template <class V>
  static inline V doubled(V v) {
    return doubled_of(v, typename Sequence<lanes<V>>::type{});
  }
  template <class V>
  static inline V even_negated(V v) {
    return even_negated_of(v, typename Sequence<lanes<V>>::type{});
  }
  // Even and odd lanes of two registers.
  template <class V>
  static inline void split(V a, V b, V& even, V& odd) {
    split_of(a, b, even, odd, typename Sequence<lanes<V>>::type{});
  }

 private:
  template <class V>
  static constexpr int lanes = sizeof(V) / sizeof(V{}[0]);
  template <int... i>
  struct Indices {};
  template <int n, int... i>
  struct Sequence : Sequence<n - 1, n - 1, i...> {};
  template <int... i>
  struct Sequence<0, i...> {
    using type = Indices<i...>;
  };
  template <class V, int... i>
  static inline V partners_of(V v, Indices<i...>) {
    return __builtin_shufflevector(v, v, (i ^ 1)...);
  }
  template <class V, int... i>
  static inline V doubled_of(V v, Indices<i...>) {
    return __builtin_shufflevector(v, v, (i / 2)...);
  }
  template <class V, int... i>
  static inline V even_negated_of(V v, Indices<i...>) {
    return v * V{(i % 2 ? 1 : -1)...};
  }
  template <class V, int... i>
  static inline void split_of(V a, V b, V& even, V& odd, Indices<i...>) {
    even = __builtin_shufflevector(a, b, (2 * i)...);
    odd = __builtin_shufflevector(a, b, (2 * i + 1)...);
  }
};

}  // namespace yarncore::cpu
