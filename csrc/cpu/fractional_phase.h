// Phases of positions that are not integers: m * 2^e times the whole 160-bit turns, exactly, then the fraction.
// Scalar: such positions are rare, and a token's row may take a microsecond.
#pragma once

#include <cstdint>

#include "token_positions.h"

namespace yarncore::cpu {

// |turns| of one pair, five words with the integer part on top; returns whether the turns are negative.
static inline bool magnitude_of_turns(const uint32_t* words, int64_t pairs, uint32_t* magnitude) {
  const bool negative = words[4 * pairs] >> 31;
  uint64_t carry = negative;
  for (int word = 0; word < 5; ++word) {
    carry += negative ? static_cast<uint32_t>(~words[word * pairs]) : words[word * pairs];
    magnitude[word] = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
  return negative;
}

// 32 bits of `product` from bit `offset` on; outside of it are zeros.
static inline uint32_t bits_at(const uint32_t (&product)[7], int64_t offset) {
  const int64_t word = offset >= 0 ? offset / 32 : -((31 - offset) / 32);
  const int shift = static_cast<int>(offset - word * 32);
  const uint64_t low = word >= 0 && word < 7 ? product[word] : 0;
  const uint64_t high = word + 1 >= 0 && word + 1 < 7 ? product[word + 1] : 0;
  return static_cast<uint32_t>((high << 32 | low) >> shift);
}

// The angle in radians where the phase is below 2^-64 turn: its 96 bits would hold too few digits of it.
static inline double tiny_angle(const uint32_t (&product)[7], int exponent, bool negative) {
  double value = 0;
  for (int word = 6; word >= 0; --word) value = value * 0x1p32 + product[word];
  const double angle = __builtin_ldexp(value * 0x1.921fb54442d18p+2, exponent - 128);
  return negative ? -angle : angle;
}

static inline void fractional_row(const uint32_t* words, int64_t pairs, const uint8_t* pair_section,
                                  const Position* positions, uint64_t* high, uint64_t* low, uint64_t* negate,
                                  double* tiny) {
  for (int64_t i = 0; i < pairs; ++i) {
    const Position& position = positions[pair_section ? pair_section[i] : 0];
    uint32_t turns[5], product[7] = {};
    const bool negative = magnitude_of_turns(words + i, pairs, turns) != position.negative;
    const uint32_t m[2] = {static_cast<uint32_t>(position.magnitude), static_cast<uint32_t>(position.magnitude >> 32)};
    for (int a = 0; a < 2; ++a) {
      uint64_t carry = 0;
      for (int b = 0; b < 5; ++b) {
        carry += static_cast<uint64_t>(m[a]) * turns[b] + product[a + b];
        product[a + b] = static_cast<uint32_t>(carry);
        carry >>= 32;
      }
      product[a + 5] = static_cast<uint32_t>(carry);
    }
    // The binary point stands at bit 128 - exponent of the product.
    high[i] = uint64_t{bits_at(product, 96 - int64_t{position.exponent})} << 32 |
              bits_at(product, 64 - int64_t{position.exponent});
    low[i] = bits_at(product, 32 - int64_t{position.exponent});
    negate[i] = negative ? uint64_t{1} << 63 : 0;
    tiny[i] = high[i] ? 0 : tiny_angle(product, position.exponent, negative);
  }
}

}  // namespace yarncore::cpu
