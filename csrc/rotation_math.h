// The mathematics of a rotation, once: position times turns -> phase -> cos, sin -> a turned pair.
//
// Templates over the type of a lane, so that the same text serves every CPU instruction set and, with one
// float per thread, a GPU. `U64` is a 64-bit unsigned lane (or vector of lanes), `F64` a double one; `Ops`
// supplies the few operations that have no operator.
//
// A frequency is fixed-point turns: theta / 2 pi * 2^128, as four 32-bit words of fraction, the least first.
// Everything between position and phase is integer arithmetic and therefore exact.
#pragma once

#include "portable.h"

namespace yarncore {

// The top 96 of the 128 fraction bits of a phase, in turns.
template <class U64>
struct Phase {
  U64 high;  // 64 bits
  U64 low;   // 32 bits in a 64-bit lane
};

// |position| * turns mod 1. `m0`, `m1`: the low and high 32 bits of the magnitude. The lowest word of the
// product is not kept, but its carry is.
template <class Ops, class U64>
YARNCORE_HOST_DEVICE inline Phase<U64> phase_of(U64 m0, U64 m1, U64 f0, U64 f1, U64 f2, U64 f3) {
  const U64 mask = Ops::u64(0xffffffffu);
  const U64 p00 = Ops::mul32(m0, f0), p01 = Ops::mul32(m0, f1), p02 = Ops::mul32(m0, f2), p03 = Ops::mul32(m0, f3);
  const U64 p10 = Ops::mul32(m1, f0), p11 = Ops::mul32(m1, f1), p12 = Ops::mul32(m1, f2);
  const U64 word1 = (p00 >> 32) + (p01 & mask) + (p10 & mask);
  const U64 word2 = (word1 >> 32) + (p01 >> 32) + (p10 >> 32) + (p02 & mask) + (p11 & mask);
  const U64 word3 = (word2 >> 32) + (p02 >> 32) + (p11 >> 32) + p03 + p12;
  return {(word3 << 32) | (word2 & mask), word1 & mask};
}

// The same for a magnitude below 2^32, which nearly every position is.
template <class Ops, class U64>
YARNCORE_HOST_DEVICE inline Phase<U64> phase_of(U64 m0, U64 f0, U64 f1, U64 f2, U64 f3) {
  const U64 mask = Ops::u64(0xffffffffu);
  const U64 p01 = Ops::mul32(m0, f1), p02 = Ops::mul32(m0, f2);
  const U64 word1 = (Ops::mul32(m0, f0) >> 32) + (p01 & mask);
  const U64 word2 = (word1 >> 32) + (p01 >> 32) + (p02 & mask);
  const U64 word3 = (word2 >> 32) + (p02 >> 32) + Ops::mul32(m0, f3);
  return {(word3 << 32) | (word2 & mask), word1 & mask};
}

// The phase of a turn backwards where `negative` has all bits, the same where it has none.
template <class Ops, class U64>
YARNCORE_HOST_DEVICE inline Phase<U64> turned_back(Phase<U64> phase, U64 negative) {
  const U64 mask = Ops::u64(0xffffffffu);
  const U64 low = ((phase.low ^ negative) & mask) + (negative & Ops::u64(1));
  return {(phase.high ^ negative) + (low >> 32), low & mask};
}

// The phase of two turns, one after the other.
template <class Ops, class U64>
YARNCORE_HOST_DEVICE inline Phase<U64> sum_of(Phase<U64> a, Phase<U64> b) {
  const U64 low = a.low + b.low;
  return {a.high + b.high + (low >> 32), low & Ops::u64(0xffffffffu)};
}

// sin x = x + x z Q(z) and cos x = 1 - z/2 + z^2 P(z) with z = x^2 and |x| <= pi/4. Chebyshev fits in 50 digits.
// For results that are rounded to float32: relative errors 1.7e-11 and 1.3e-12, 0.0003 ulp of float32.
// (In functions: device code may not index an array that is a member.)
struct DoubleToFloat {
  static constexpr int terms = 4;
  YARNCORE_HOST_DEVICE static constexpr double q(int i) {
    constexpr double values[terms] = {-0x1.555555545e0acp-3, 0x1.11110def2e1c9p-7, -0x1.a013a793b98cep-13,
                                      0x1.6dbe0838a06e9p-19};
    return values[i];
  }
  YARNCORE_HOST_DEVICE static constexpr double p(int i) {
    constexpr double values[terms] = {0x1.5555555502cf4p-5, -0x1.6c16bf54e7232p-10, 0x1.a015c47d920acp-16,
                                      -0x1.25244e23e6e3ap-22};
    return values[i];
  }
};
// For double results: 1.3e-17 and 5e-19.
struct DoubleToDouble {
  static constexpr int terms = 6;
  YARNCORE_HOST_DEVICE static constexpr double q(int i) {
    constexpr double values[terms] = {-0x1.5555555555555p-3, 0x1.1111111110bb2p-7,   -0x1.a01a019e83aaep-13,
                                      0x1.71de37968a100p-19, -0x1.ae600b02b6262p-26, 0x1.5e0b19f8b1451p-33};
    return values[i];
  }
  YARNCORE_HOST_DEVICE static constexpr double p(int i) {
    constexpr double values[terms] = {0x1.5555555555555p-5,   -0x1.6c16c16c16967p-10, 0x1.a01a019f4eb01p-16,
                                      -0x1.27e4fa17da09ep-22, 0x1.1eeb68e93b64cp-29,  -0x1.907da367a37cbp-37};
    return values[i];
  }
};

template <class F64>
struct CosSin {
  F64 cos, sin;
};

// cos and sin of 2 pi phase.
template <class Ops, class Coefficients, class U64>
YARNCORE_HOST_DEVICE inline CosSin<typename Ops::F64> cos_sin_of(Phase<U64> phase) {
  using F64 = typename Ops::F64;
  // The nearest quarter turn stands in the upper two bits of `nearest`. What is left, in [-1/8, 1/8) turn, is the
  // rest of the bits as a signed number: rounded once, but exact where it is small, and there `low` counts.
  const U64 nearest = phase.high + Ops::u64(uint64_t{1} << 61);
  const F64 rest = Ops::of_signed(phase.high << 2) + Ops::of_word(phase.low) * Ops::f64(0x1p-30);
  const F64 x = rest * Ops::f64(0x1.921fb54442d18p+2 * 0x1p-66);
  const F64 z = x * x;
  F64 q = Ops::f64(Coefficients::q(Coefficients::terms - 1));
  F64 p = Ops::f64(Coefficients::p(Coefficients::terms - 1));
  for (int i = Coefficients::terms - 2; i >= 0; --i) {
    q = q * z + Ops::f64(Coefficients::q(i));
    p = p * z + Ops::f64(Coefficients::p(i));
  }
  const F64 sin_rest = x + x * (z * q);
  const F64 cos_rest = (Ops::f64(1.0) - z * Ops::f64(0.5)) + (z * z) * p;
  // Quarter 0: (c, s), 1: (-s, c), 2: (-c, -s), 3: (s, -c).
  const U64 odd = nearest & Ops::u64(uint64_t{1} << 62), sign = Ops::u64(uint64_t{1} << 63);
  const U64 cos_bits = Ops::as_u64(Ops::where(odd, sin_rest, cos_rest));
  const U64 sin_bits = Ops::as_u64(Ops::where(odd, cos_rest, sin_rest));
  return {Ops::as_f64(cos_bits ^ ((nearest + Ops::u64(uint64_t{1} << 62)) & sign)),
          Ops::as_f64(sin_bits ^ (nearest & sign))};
}

// One pair turned. Every product is rounded: contraction is off wherever this is compiled, so that all
// instruction sets and devices give the same bits.
template <class F>
YARNCORE_HOST_DEVICE inline void rotate_pair(F x0, F x1, F c, F s, F& y0, F& y1) {
  y0 = x0 * c - x1 * s;
  y1 = x1 * c + x0 * s;
}

// The same for lanes that hold both members of interleaved pairs: `partner` is the other member of each lane,
// `signed_s` is -s in a first member's lane and s in a second's. The same bits: negation is exact.
template <class F>
YARNCORE_HOST_DEVICE inline F rotate_members(F x, F partner, F c, F signed_s) {
  return x * c + partner * signed_s;
}

}  // namespace yarncore
