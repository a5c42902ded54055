// Phases of positions that are not integers: m * 2^e times the whole 160-bit turns, exactly, then the fraction.
// Scalar: such positions are rare, and a token's row may take a microsecond.
#pragma once

#include <cstdint>

#include "token_positions.h"

namespace yarncore::cpu {

// A product of 53 and 160 bits, the least word first.
struct WideProduct {
  uint64_t words[4];

  // 64 bits from bit `offset` on; outside of it are zeros.
  uint64_t bits_from(int64_t offset) const {
    const int64_t word = offset >> 6;
    const int shift = static_cast<int>(offset & 63);
    const uint64_t low = word >= 0 && word < 4 ? words[word] : 0;
    const uint64_t high = word >= -1 && word < 3 ? words[word + 1] : 0;
    return shift ? low >> shift | high << (64 - shift) : low;
  }
};

// |turns| of a pair times m.
static inline WideProduct times_turns(const uint32_t* words, int64_t pairs, uint64_t m, bool& negative) {
  uint64_t t0 = words[0] | static_cast<uint64_t>(words[pairs]) << 32;
  uint64_t t1 = words[2 * pairs] | static_cast<uint64_t>(words[3 * pairs]) << 32;
  uint64_t t2 = words[4 * pairs];
  negative = t2 >> 31;
  if (negative) {
    t0 = ~t0 + 1;
    t1 = ~t1 + (t0 == 0);
    t2 = static_cast<uint32_t>(~static_cast<uint32_t>(t2) + (t0 == 0 && t1 == 0));
  }
  using Wide = unsigned __int128;
  const Wide p0 = static_cast<Wide>(m) * t0;
  const Wide p1 = static_cast<Wide>(m) * t1 + static_cast<uint64_t>(p0 >> 64);
  const Wide p2 = static_cast<Wide>(m) * t2 + static_cast<uint64_t>(p1 >> 64);
  return {{static_cast<uint64_t>(p0), static_cast<uint64_t>(p1), static_cast<uint64_t>(p2),
           static_cast<uint64_t>(p2 >> 64)}};
}

// The angle in radians where the phase is below 2^-64 turn: its 96 bits would hold too few digits of it.
static inline double tiny_angle(const WideProduct& product, int exponent, bool negative) {
  double value = 0;
  for (int word = 3; word >= 0; --word) value = value * 0x1p64 + static_cast<double>(product.words[word]);
  const double angle = __builtin_ldexp(value * 0x1.921fb54442d18p+2, exponent - 128);
  return negative ? -angle : angle;
}

static inline void fractional_row(const uint32_t* words, int64_t pairs, const uint8_t* pair_section,
                                  const Position* positions, uint64_t* high, uint64_t* low, uint64_t* negate,
                                  double* tiny) {
  for (int64_t i = 0; i < pairs; ++i) {
    const Position& position = positions[pair_section ? pair_section[i] : 0];
    bool negative;
    const WideProduct product = times_turns(words + i, pairs, position.magnitude, negative);
    negative = negative != position.negative;
    // The binary point stands at bit 128 - exponent of the product.
    high[i] = product.bits_from(64 - int64_t{position.exponent});
    low[i] = product.bits_from(32 - int64_t{position.exponent}) & 0xffffffffu;
    negate[i] = negative ? uint64_t{1} << 63 : 0;
    tiny[i] = high[i] ? 0 : tiny_angle(product, position.exponent, negative);
  }
}

}  // namespace yarncore::cpu
