// What multiplies the heads of queries, by their position: the same text for CPU and GPU, so that both have the same
// factor to the last bit. See yarncore/query_scale.
#pragma once

#include "portable.h"

namespace yarncore {

struct QueryScale {
  enum Kind : int32_t { none, log_steps, log_n };
  Kind kind;
  bool inverted;
  double coefficient;  // of log_steps beta, of log_n ln(length)
  int64_t length;      // > 0
  int64_t offset;      // 0 <= offset < 2^31
};

// ln x of a normal x >= 1, within an ulp: x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and ln(1 + f) =
// f - (f^2/2 - s (f^2/2 + R)) with s = f / (2 + f), R = 2 s^2/3 + 2 s^4/5 + ..., of which the terms that count are
// summed.
YARNCORE_HOST_DEVICE static inline double natural_logarithm(double x) {
  constexpr uint64_t root_of_2 = 0x6a09e667f3bcd;
  const uint64_t bits = bits_as<uint64_t>(x), fraction = bits & ((uint64_t{1} << 52) - 1);
  const bool upper = fraction > root_of_2;
  const int exponent = static_cast<int>(bits >> 52) - 1023 + upper;
  const double f = bits_as<double>(fraction | (upper ? uint64_t{1022} : uint64_t{1023}) << 52) - 1.0;
  const double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
  double rest = 2.0 / 23.0;
  for (int odd = 21; odd >= 3; odd -= 2) rest = rest * z + 2.0 / odd;
  const double of_exponent = exponent;
  const double high = of_exponent * 0x1.62e42feep-1, low = of_exponent * 0x1.a39ef35793c76p-33;  // ln 2 in two parts
  return high - ((half - (s * (half + rest * z) + low)) - f);
}

// At a position that is not negative: `steps` whole lengths lie before it, and its offset.
YARNCORE_HOST_DEVICE static inline double query_scale_of(const QueryScale& scale, double steps, double position) {
  double factor = 1.0;
  if (scale.kind == QueryScale::log_steps) {
    if (steps > 0.0) factor = 1.0 + scale.coefficient * natural_logarithm(1.0 + steps);
  } else if (position + 1.0 > static_cast<double>(scale.length)) {
    const double ratio = natural_logarithm(position + 1.0) / scale.coefficient;
    if (ratio > 1.0) factor = ratio;
  }
  return scale.inverted ? 1.0 / factor : factor;
}

// At an integer position, of which the magnitude is given; a negative one counts as 0.
YARNCORE_HOST_DEVICE static inline double query_scale_at(const QueryScale& scale, uint64_t magnitude, bool negative) {
  const uint64_t position = negative ? 0 : magnitude, length = static_cast<uint64_t>(scale.length);
  if (position < length && position + static_cast<uint64_t>(scale.offset) < length) return 1.0;
  const uint64_t steps = position / length + (position % length + static_cast<uint64_t>(scale.offset)) / length;
  return query_scale_of(scale, static_cast<double>(steps), static_cast<double>(position));
}

// At any other position, of which the magnitude is given.
YARNCORE_HOST_DEVICE static inline double query_scale_at(const QueryScale& scale, double position) {
  const double lengths = (position + static_cast<double>(scale.offset)) / static_cast<double>(scale.length);
  return query_scale_of(scale, rounded_down(lengths), position);
}

}  // namespace yarncore
