// Arrays of pools and slots as a plain call gives them: what is read of them without a word, or declined.
#pragma once

#include <Python.h>

#include <initializer_list>

#include "../array_view.h"
#include "torch_tensors.h"

namespace yarncore::python {

// NumPy's arrays, or torch's tensors, of one call.
struct PlainViews {
  bool torch;
  TorchState state;

  // Before the first: which of both they are, as one of them shows; false where tensors are watched.
  bool begin(PyObject* one);
  // What turns.
  bool view(PyObject* object, bool write, ArrayView& view) const;
  // What is copied: any elements but references to objects.
  bool view_values(PyObject* object, bool write, ArrayView& view) const;
};

bool same_dtype(PyObject* a, PyObject* b);

// Moves the axis of heads, counted from the end, next to the last; views without an axis are not given.
bool put_heads_last(std::initializer_list<ArrayView*> views, int from_end);

// C-contiguous int64 of one axis or more.
struct SlotList {
  ArrayView view;
  const int64_t* slots;
  int64_t count;
};
bool view_slot_list(PyObject* given, bool torch, SlotList& list);

// Whether all are -1 or within the pool; and whether none of those within it is named twice.
bool are_within(const SlotList& list, int64_t tokens);
bool are_different(const SlotList& list, int64_t tokens);

}  // namespace yarncore::python
