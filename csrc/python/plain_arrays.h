// Arrays as a plain call gives them: what is read of them without a word, or declined.
#pragma once

#include <Python.h>

#include "../array_view.h"
#include "plain_call.h"

namespace yarncore::python {

// The bytes from the first to the last element.
struct Memory {
  const char *first, *last;
  int64_t period, inner;  // the largest stride, and the bytes within one step of it; 0 where there is no stride

  bool meets(const Memory& other) const { return first < other.last && other.first < last && !interleaves(other); }
  // Whether both take turns, as keys and values of one array of blocks do.
  bool interleaves(const Memory& other) const;
};

// False unless no two elements share a byte, shown by nested strides.
bool memory_of(const ArrayView& view, Memory& memory);

// The axis of heads counted from the front, or -1 for none; false where it is not given and cannot be guessed.
bool heads_axis_of(PyObject* given, int dimensions, bool counted, int& axis);

// Positions that broadcast against the token axes, or an offset; false for anything else. Tensors serve tensors only.
// With sections there is one more leading axis, but a count is the same for each.
bool place_positions(PyObject* given, bool torch, const PlainRotation& rotation, Request& request);

// Weak references forbid ndarray.resize, even with refcheck=False, while the GIL is given up.
class Pinned {
 public:
  Pinned() = default;
  ~Pinned();
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  void add(PyObject* array);

 private:
  static constexpr int most_ = 8;
  PyObject* references_[most_];
  int count_ = 0;
};

}  // namespace yarncore::python
