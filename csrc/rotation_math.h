// The mathematics of a rotation, once: position times turns -> phase -> cos, sin -> a turned pair.
//
// Templates over the type of a lane, so that the same text serves every CPU instruction set and, with one
// float per thread, a GPU. `U64` is a 64-bit unsigned lane (or vector of lanes), `F64` a double one; `Ops`
// supplies the few operations that have no operator. At most <cstdint> is included.
//
// A frequency is fixed-point turns: theta / 2 pi * 2^128, as four 32-bit words of fraction, the least first.
// Everything between position and phase is integer arithmetic and therefore exact.
#pragma once

#include <cstdint>

namespace yarncore {

// The top 96 of the 128 fraction bits of a phase, in turns. Each word holds 32 bits of a 64-bit lane.
template <class U64>
struct Phase {
  U64 high, middle, low;
};

// |position| * turns mod 1. `m0`, `m1`: the low and high 32 bits of the magnitude. The lowest word of the
// product is not kept, but its carry is.
template <class Ops, class U64>
inline Phase<U64> phase_of(U64 m0, U64 m1, U64 f0, U64 f1, U64 f2, U64 f3) {
  const U64 mask = Ops::u64(0xffffffffu);
  const U64 p00 = Ops::mul32(m0, f0), p01 = Ops::mul32(m0, f1), p02 = Ops::mul32(m0, f2), p03 = Ops::mul32(m0, f3);
  const U64 p10 = Ops::mul32(m1, f0), p11 = Ops::mul32(m1, f1), p12 = Ops::mul32(m1, f2);
  const U64 word1 = (p00 >> 32) + (p01 & mask) + (p10 & mask);
  const U64 word2 = (word1 >> 32) + (p01 >> 32) + (p10 >> 32) + (p02 & mask) + (p11 & mask);
  const U64 word3 = (word2 >> 32) + (p02 >> 32) + (p11 >> 32) + p03 + p12;
  return {word3 & mask, word2 & mask, word1 & mask};
}

// The same for a magnitude below 2^32, which nearly every position is.
template <class Ops, class U64>
inline Phase<U64> phase_of(U64 m0, U64 f0, U64 f1, U64 f2, U64 f3) {
  const U64 mask = Ops::u64(0xffffffffu);
  const U64 p01 = Ops::mul32(m0, f1), p02 = Ops::mul32(m0, f2);
  const U64 word1 = (Ops::mul32(m0, f0) >> 32) + (p01 & mask);
  const U64 word2 = (word1 >> 32) + (p01 >> 32) + (p02 & mask);
  const U64 word3 = (word2 >> 32) + (p02 >> 32) + Ops::mul32(m0, f3);
  return {word3 & mask, word2 & mask, word1 & mask};
}

// sin x = x + x z Q(z) and cos x = 1 - z/2 + z^2 P(z) with z = x^2 and |x| <= pi/4. Chebyshev fits in 50 digits.
// For results that are rounded to float32: relative errors 1.7e-11 and 1.3e-12, 0.0003 ulp of float32.
struct DoubleToFloat {
  static constexpr int terms = 4;
  static constexpr double q[terms] = {-0x1.555555545e0acp-3, 0x1.11110def2e1c9p-7, -0x1.a013a793b98cep-13,
                                      0x1.6dbe0838a06e9p-19};
  static constexpr double p[terms] = {0x1.5555555502cf4p-5, -0x1.6c16bf54e7232p-10, 0x1.a015c47d920acp-16,
                                      -0x1.25244e23e6e3ap-22};
};
// For double results: 1.3e-17 and 5e-19.
struct DoubleToDouble {
  static constexpr int terms = 6;
  static constexpr double q[terms] = {-0x1.5555555555555p-3, 0x1.1111111110bb2p-7,  -0x1.a01a019e83aaep-13,
                                      0x1.71de37968a100p-19, -0x1.ae600b02b6262p-26, 0x1.5e0b19f8b1451p-33};
  static constexpr double p[terms] = {0x1.5555555555555p-5,   -0x1.6c16c16c16967p-10, 0x1.a01a019f4eb01p-16,
                                      -0x1.27e4fa17da09ep-22, 0x1.1eeb68e93b64cp-29,  -0x1.907da367a37cbp-37};
};

template <class F64>
struct CosSin {
  F64 cos, sin;
};

// The unsigned 32-bit number in a 64-bit lane, as a double: put under the exponent of 2^52, which is then removed.
template <class Ops, class U64>
inline typename Ops::F64 word_to_double(U64 word, double two_52_plus_bias) {
  return Ops::as_f64(word | Ops::u64(0x4330000000000000u)) - Ops::f64(two_52_plus_bias);
}

// cos and sin of 2 pi phase. `negate` flips the sign of sin: all ones in its sign bit for a turn backwards.
template <class Ops, class Coefficients, class U64>
inline CosSin<typename Ops::F64> cos_sin_of(Phase<U64> phase, U64 negate) {
  using F64 = typename Ops::F64;
  // Split off the nearest quarter turn; the rest lies in [-1/8, 1/8) turn and is signed.
  const U64 shifted = phase.high + Ops::u64(1u << 29);
  const U64 quarter = shifted >> 30;
  constexpr double two_52 = 4503599627370496.0;
  const F64 high = word_to_double<Ops>(shifted & Ops::u64((1u << 30) - 1), two_52 + (1 << 29));
  const F64 middle = word_to_double<Ops>(phase.middle, two_52);
  const F64 low = word_to_double<Ops>(phase.low, two_52);
  // high * 2^32 + middle is a 62-bit integer, rounded once; where it cancels it is exact and `low` counts.
  const F64 rest = (high * Ops::f64(0x1p32) + middle) + low * Ops::f64(0x1p-32);
  const F64 x = rest * Ops::f64(0x1.921fb54442d18p+2 * 0x1p-64);
  const F64 z = x * x;
  F64 q = Ops::f64(Coefficients::q[Coefficients::terms - 1]);
  F64 p = Ops::f64(Coefficients::p[Coefficients::terms - 1]);
  for (int i = Coefficients::terms - 2; i >= 0; --i) {
    q = q * z + Ops::f64(Coefficients::q[i]);
    p = p * z + Ops::f64(Coefficients::p[i]);
  }
  const F64 sin_rest = x + x * (z * q);
  const F64 cos_rest = (Ops::f64(1.0) - z * Ops::f64(0.5)) + (z * z) * p;
  // Quarter 0: (c, s), 1: (-s, c), 2: (-c, -s), 3: (s, -c).
  const U64 odd = Ops::u64(0) - (quarter & Ops::u64(1));
  const U64 c_bits = Ops::as_u64(cos_rest), s_bits = Ops::as_u64(sin_rest);
  const U64 cos_bits = (c_bits & ~odd) | (s_bits & odd);
  const U64 sin_bits = (s_bits & ~odd) | (c_bits & odd);
  const U64 cos_sign = ((quarter + Ops::u64(1)) & Ops::u64(2)) << 62;
  const U64 sin_sign = ((quarter & Ops::u64(2)) << 62) ^ negate;
  return {Ops::as_f64(cos_bits ^ cos_sign), Ops::as_f64(sin_bits ^ sin_sign)};
}

// One pair turned. Every product is rounded: contraction is off wherever this is compiled, so that all
// instruction sets and devices give the same bits.
template <class Ops, class F>
inline void rotate_pair(F x0, F x1, F c, F s, F& y0, F& y1) {
  y0 = x0 * c - x1 * s;
  y1 = x1 * c + x0 * s;
}

}  // namespace yarncore
