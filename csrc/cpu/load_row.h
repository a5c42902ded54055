// The row of a token where tables of cos and sin are given: loaded instead of made, and rounded once if at all.
// `static inline`: each unit keeps its own copy.
#pragma once

#include <cstdint>

#include "../request.h"
#include "element_lanes.h"
#include "make_row.h"

namespace yarncore::cpu {

template <class T>
static inline T read_as(const char* from) {
  T value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

static inline float float_of_bits(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

// One number of a table, exactly.
template <ElementType type>
static inline auto read_number(const char* from) {
  if constexpr (type == ElementType::float64) {
    return read_as<double>(from);
  } else if constexpr (type == ElementType::float32) {
    return read_as<float>(from);
  } else if constexpr (type == ElementType::bfloat16) {
    return float_of_bits(uint32_t{read_as<uint16_t>(from)} << 16);
  } else {
    const uint32_t half = read_as<uint16_t>(from), size = half & 0x7fff, sign = (half & 0x8000) << 16;
    const float value = size >= 0x7c00 ? float_of_bits(size << 13 | 0x7f800000) : float_of_bits(size << 13) * 0x1p112f;
    return sign ? -value : value;
  }
}

// NaN becomes the default one: rounding to bfloat16 relies on it.
template <ElementType type, class Factor>
static inline void load_numbers(const char* from, int64_t stride, bool negate, int64_t count, Factor* to) {
  const auto load = [&](int64_t step) {
    for (int64_t i = 0; i < count; ++i) {
      const auto value = static_cast<Factor>(read_number<type>(from + i * step));
      to[i] = value != value ? static_cast<Factor>(__builtin_nan("")) : negate ? -value : value;
    }
  };
  constexpr int64_t size = element_size(type);
  stride == size ? load(size) : load(stride);
}

// Returns whether the row turns nothing.
template <class Factor>
static inline bool load_row(const Request& request, int64_t cos_offset, int64_t sin_offset, Row<Factor> row) {
  const GivenTables& given = request.given;
  const int64_t pairs = request.turns.pairs;
  with_type(given.cos_type, [&](auto type) {
    load_numbers<decltype(type)::value>(given.cos + cos_offset, given.cos_element, false, pairs, row.cos);
  });
  with_type(given.sin_type, [&](auto type) {
    load_numbers<decltype(type)::value>(given.sin + sin_offset, given.sin_element, request.conjugate, pairs, row.sin);
  });
  bool identity = true;
  for (int64_t i = 0; i < pairs; ++i) identity &= (row.cos[i] == 1) & (row.sin[i] == 0);
  return identity;
}

}  // namespace yarncore::cpu
