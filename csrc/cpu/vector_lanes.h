// Lanes of any width from the compiler's vector types: one text for every instruction set. A unit derives its
// Lanes from VectorLanes and replaces what its instructions do better.
//
// Everything here is a template over a tag from the unit's unnamed namespace, so that nothing it emits can be
// shared with another unit: the linker would keep one copy of a weak symbol, perhaps one this CPU cannot run.
#pragma once

#include <cstdint>

#include "../element_types.h"

namespace yarncore::cpu {

// The compiler's vector types for registers of 16, 32 and 64 bytes; GCC does not accept a dependent vector_size.
template <int width>
struct VectorTypes;
template <>
struct VectorTypes<4> {
  typedef float F32 __attribute__((vector_size(16)));
  typedef uint32_t U32 __attribute__((vector_size(16)));
  typedef uint16_t U16 __attribute__((vector_size(8)));
  typedef double F64 __attribute__((vector_size(16)));
  typedef uint64_t U64 __attribute__((vector_size(16)));
  typedef uint32_t U32Half __attribute__((vector_size(8)));
  typedef float F32Half __attribute__((vector_size(8)));
};
template <>
struct VectorTypes<8> {
  typedef float F32 __attribute__((vector_size(32)));
  typedef uint32_t U32 __attribute__((vector_size(32)));
  typedef uint16_t U16 __attribute__((vector_size(16)));
  typedef double F64 __attribute__((vector_size(32)));
  typedef uint64_t U64 __attribute__((vector_size(32)));
  typedef uint32_t U32Half __attribute__((vector_size(16)));
  typedef float F32Half __attribute__((vector_size(16)));
};
template <>
struct VectorTypes<16> {
  typedef float F32 __attribute__((vector_size(64)));
  typedef uint32_t U32 __attribute__((vector_size(64)));
  typedef uint16_t U16 __attribute__((vector_size(32)));
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
  using U16 = typename VectorTypes<width_>::U16;
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
  template <class V>
  static inline V load_part(const void* from, int64_t bytes) {
    V v = {};
    __builtin_memcpy(&v, from, static_cast<size_t>(bytes));
    return v;
  }
  template <class V>
  static inline void store_part(void* to, V v, int64_t bytes) {
    __builtin_memcpy(to, &v, static_cast<size_t>(bytes));
  }

  // What rotation_math.h asks of its Ops.
  static inline U64 u64(uint64_t value) { return U64{} + value; }
  static inline F64 f64(double value) { return F64{} + value; }
  static inline F64 as_f64(U64 bits) { return reinterpret_cast<F64>(bits); }
  static inline U64 as_u64(F64 value) { return reinterpret_cast<U64>(value); }
  static inline U64 mul32(U64 a, U64 b) { return (a & u64(0xffffffffu)) * (b & u64(0xffffffffu)); }

  static inline U64 load_words(const uint32_t* from) {
    return __builtin_convertvector(load<U32Half>(from), U64);
  }
  static inline U64 load_words_part(const uint32_t* from, int64_t count) {
    return __builtin_convertvector(load_part<U32Half>(from, count * 4), U64);
  }
  static inline void store_rounded(float* to, F64 v) { store(to, __builtin_convertvector(v, F32Half)); }

  // bfloat16 is the upper half of a float. Rounding to nearest even in integers needs no test for NaN: an operand
  // widened from bfloat16 has a zero low half, cos and sin are finite, and a default NaN has a zero low half too.
  static inline F32 widen_bfloat16(U16 bits) {
    return reinterpret_cast<F32>(__builtin_convertvector(bits, U32) << 16);
  }
  static inline U16 narrow_bfloat16(F32 value) {
    const U32 bits = reinterpret_cast<U32>(value);
    return __builtin_convertvector((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16, U16);
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

  // Pairs (2i, 2i+1) of two registers to and from (first members, second members).
  template <class V>
  static inline void split_pairs(V a, V b, V& first, V& second) {
    constexpr int n = sizeof(V) / sizeof(a[0]);
    split_pairs_of(a, b, first, second, typename Sequence<n>::type{});
  }
  template <class V>
  static inline void join_pairs(V first, V second, V& a, V& b) {
    constexpr int n = sizeof(V) / sizeof(first[0]);
    join_pairs_of(first, second, a, b, typename Sequence<n>::type{});
  }

 private:
  template <int... i>
  struct Indices {};
  template <int n, int... i>
  struct Sequence : Sequence<n - 1, n - 1, i...> {};
  template <int... i>
  struct Sequence<0, i...> {
    using type = Indices<i...>;
  };
  template <class V, int... i>
  static inline void split_pairs_of(V a, V b, V& first, V& second, Indices<i...>) {
    first = __builtin_shufflevector(a, b, (2 * i)...);
    second = __builtin_shufflevector(a, b, (2 * i + 1)...);
  }
  template <class V, int... i>
  static inline void join_pairs_of(V first, V second, V& a, V& b, Indices<i...>) {
    constexpr int n = sizeof...(i);
    a = __builtin_shufflevector(first, second, (i / 2 + (i % 2) * n)...);
    b = __builtin_shufflevector(first, second, ((n + i) / 2 + (i % 2) * n)...);
  }
};

// How a tensor of each element type is read into and written from the type its arithmetic is done in.
template <class Lanes, ElementType type>
struct Elements;

template <class Lanes>
struct Elements<Lanes, ElementType::float32> {
  using Value = typename Lanes::F32;
  using Stored = Value;
  using Factor = float;
  static inline Value widen(Stored v) { return v; }
  static inline Stored narrow(Value v) { return v; }
};
template <class Lanes>
struct Elements<Lanes, ElementType::float64> {
  using Value = typename Lanes::F64;
  using Stored = Value;
  using Factor = double;
  static inline Value widen(Stored v) { return v; }
  static inline Stored narrow(Value v) { return v; }
};
template <class Lanes>
struct Elements<Lanes, ElementType::bfloat16> {
  using Value = typename Lanes::F32;
  using Stored = typename Lanes::U16;
  using Factor = float;
  static inline Value widen(Stored v) { return Lanes::widen_bfloat16(v); }
  static inline Stored narrow(Value v) { return Lanes::narrow_bfloat16(v); }
};
template <class Lanes>
struct Elements<Lanes, ElementType::float16> {
  using Value = typename Lanes::F32;
  using Stored = typename Lanes::U16;
  using Factor = float;
  static inline Value widen(Stored v) { return Lanes::widen_float16(v); }
  static inline Stored narrow(Value v) { return Lanes::narrow_float16(v); }
};

}  // namespace yarncore::cpu
