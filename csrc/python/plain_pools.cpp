#include "plain_pools.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <vector>

#include "numpy_arrays.h"

namespace yarncore::python {

namespace py = pybind11;

bool PlainViews::begin(PyObject* one) {
  torch = is_torch_tensor(one);
  if (torch) state = torch_state();
  return !torch || state.plain;
}

bool PlainViews::view(PyObject* object, bool write, ArrayView& view) const {
  return torch ? is_torch_tensor(object) && view_torch_tensor(object, state, write, view)
               : is_plain_array(object) && view_elements(py::reinterpret_borrow<py::array>(object), view);
}

bool PlainViews::view_values(PyObject* object, bool write, ArrayView& view) const {
  return torch ? is_torch_tensor(object) && view_torch_bits(object, state, write, view)
               : is_plain_array(object) && view_bits(py::reinterpret_borrow<py::array>(object), view);
}

bool same_dtype(PyObject* a, PyObject* b) {
  const auto dtype_of = [](PyObject* array) {
    return py::reinterpret_steal<py::object>(PyObject_GetAttrString(array, "dtype"));
  };
  const py::object x = dtype_of(a), y = dtype_of(b);
  PyErr_Clear();
  return x && x.is(y);
}

bool put_heads_last(std::initializer_list<ArrayView*> views, int from_end) {
  for (ArrayView* view : views) {
    if (view->dimensions == 0) continue;
    if (view->dimensions < from_end) return false;
    const int axis = view->dimensions - from_end, last = view->dimensions - 1;
    std::rotate(view->shape + axis, view->shape + axis + 1, view->shape + last);
    std::rotate(view->strides + axis, view->strides + axis + 1, view->strides + last);
  }
  return true;
}

bool view_slot_list(PyObject* given, bool torch, SlotList& list) {
  ArrayView& view = list.view;
  view = {};
  if (is_plain_array(given)) {
    if (!view_positions(py::reinterpret_borrow<py::array>(given), view)) return false;
  } else if (!torch || !is_torch_tensor(given) || !view_torch_positions(given, view, view.kind)) {
    return false;
  }
  if (view.kind != PositionKind::int64 || view.dimensions == 0) return false;
  int64_t stride = 8;
  for (int axis = view.dimensions - 1; axis >= 0; --axis) {
    if (view.shape[axis] != 1 && view.strides[axis] != stride) return false;
    stride *= view.shape[axis];
  }
  list.slots = reinterpret_cast<const int64_t*>(view.data);
  list.count = view.elements();
  return true;
}

bool are_within(const SlotList& list, int64_t tokens) {
  return std::all_of(list.slots, list.slots + list.count,
                     [tokens](int64_t slot) { return slot >= -1 && slot < tokens; });
}

bool are_different(const SlotList& list, int64_t tokens) {
  constexpr int64_t few = 32;
  if (list.count <= few) {
    for (int64_t n = 0; n < list.count; ++n)
      if (list.slots[n] >= 0 && std::count(list.slots, list.slots + n, list.slots[n])) return false;
    return true;
  }
  std::vector<bool> seen(static_cast<size_t>(tokens));
  for (int64_t n = 0; n < list.count; ++n) {
    if (list.slots[n] < 0) continue;
    if (seen[static_cast<size_t>(list.slots[n])]) return false;
    seen[static_cast<size_t>(list.slots[n])] = true;
  }
  return true;
}

}  // namespace yarncore::python
