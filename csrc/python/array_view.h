// A tensor as a call shows it, whatever its framework: memory, shape, strides.
#pragma once

#include <cstdint>

#include "../request.h"

namespace yarncore::python {

constexpr int max_axes = max_token_axes + 2;

struct ArrayView {
  char* data;
  int dimensions;
  int64_t shape[max_axes], strides[max_axes];  // strides in bytes
  int64_t itemsize;
  bool writable;
  ElementType type;  // of tensors, not of positions

  int64_t elements() const {
    int64_t count = 1;
    for (int axis = 0; axis < dimensions; ++axis) count *= shape[axis];
    return count;
  }
};

// Fills one operand of a request, which is all zeros, of views with the same shape. `heads_axis`: counted from the front, -1 for none.
// `token_axes`: the axes that are neither heads nor elements.
// (In place: a copy of what has just been written would wait for it.)
inline void fill_operand(Operand& x, const ArrayView& in, const ArrayView& out, int heads_axis, const int* token_axes,
                         int token_axis_count) {
  const int last = in.dimensions - 1;
  x.in = in.data;
  x.out = out.data;
  x.type = in.type;
  x.heads = heads_axis >= 0 ? in.shape[heads_axis] : 1;
  x.head_dim = in.shape[last];
  x.in_head = heads_axis >= 0 ? in.strides[heads_axis] : 0;
  x.out_head = heads_axis >= 0 ? out.strides[heads_axis] : 0;
  x.in_element = in.strides[last];
  x.out_element = out.strides[last];
  for (int axis = 0; axis < token_axis_count; ++axis) {
    x.in_token[axis] = in.strides[token_axes[axis]];
    x.out_token[axis] = out.strides[token_axes[axis]];
  }
}

}  // namespace yarncore::python
