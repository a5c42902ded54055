// An array as a call shows it, whatever its framework: memory, shape, strides.
#pragma once

#include <cstdint>

#include "element_types.h"
#include "position_kinds.h"
#include "request.h"

namespace yarncore {

constexpr int max_axes = max_token_axes + 2;

struct ArrayView {
  char* data;
  int dimensions;
  int64_t shape[max_axes], strides[max_axes];  // strides in bytes
  int64_t itemsize;
  bool writable;
  ElementType type;   // of what is turned
  PositionKind kind;  // of positions

  int64_t elements() const {
    int64_t count = 1;
    for (int axis = 0; axis < dimensions; ++axis) count *= shape[axis];
    return count;
  }
};

}  // namespace yarncore
