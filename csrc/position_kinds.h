// How positions are given, and what others call the types of their arrays.
#pragma once

#include "portable.h"

namespace yarncore {

// `arange`: offset + index along the last token axis, nothing is read.
enum class PositionKind : uint8_t {
  arange,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64
};

struct PositionInfo {
  char code;            // of NumPy's `dtype.kind`
  int64_t size;         // bytes
  uint8_t dlpack_code;  // DLDataTypeCode
  int xla;              // xla::PrimitiveType
};

// In the order of the enumeration; `arange` has no array.
constexpr PositionInfo position_kinds[] = {
    {'\0', 0, 255, -1}, {'i', 1, 0, 2}, {'i', 2, 0, 3}, {'i', 4, 0, 4},  {'i', 8, 0, 5},  {'u', 1, 1, 6},
    {'u', 2, 1, 7},     {'u', 4, 1, 8}, {'u', 8, 1, 9}, {'f', 4, 2, 11}, {'f', 8, 2, 12},
};

#ifndef __CUDACC_RTC__
constexpr bool is_fractional(PositionKind kind) {
  return kind == PositionKind::float32 || kind == PositionKind::float64;
}

// The first kind of which `is` says so; false where it is none.
template <class Is>
inline bool find_position_kind(const Is& is, PositionKind& kind) {
  for (const PositionInfo& info : position_kinds)
    if (is(info)) {
      kind = static_cast<PositionKind>(&info - position_kinds);
      return true;
    }
  return false;
}
#endif

}  // namespace yarncore
