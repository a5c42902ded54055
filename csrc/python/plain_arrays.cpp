#include "plain_arrays.h"

#include <cstdlib>

#include "../fill_request.h"
#include "numpy_arrays.h"
#include "torch_tensors.h"

namespace yarncore::python {

namespace py = pybind11;

bool memory_of(const ArrayView& view, Memory& memory) {
  int64_t strides[max_axes], extents[max_axes];
  int axes = 0;
  auto& [first, last, period, inner] = memory;
  first = view.data;
  last = first + view.itemsize;
  for (int axis = 0; axis < view.dimensions; ++axis) {
    const int64_t extent = view.shape[axis], stride = view.strides[axis];
    if (extent == 0) return false;
    if (extent == 1) continue;
    (stride < 0 ? first : last) += stride * (extent - 1);
    int place = axes++;
    for (; place > 0 && strides[place - 1] > std::abs(stride); --place)
      strides[place] = strides[place - 1], extents[place] = extents[place - 1];
    strides[place] = std::abs(stride), extents[place] = extent;
  }
  int64_t span = view.itemsize;
  period = 0, inner = span;
  for (int axis = 0; axis < axes; ++axis) {
    if (strides[axis] < span) return false;
    period = strides[axis], inner = span;
    span += strides[axis] * (extents[axis] - 1);
  }
  return true;
}

bool heads_axis_of(PyObject* given, int dimensions, bool counted, int& axis) {
  if (given == Py_None) {
    axis = -1;
    return true;
  }
  long value = -2;
  if (PyLong_CheckExact(given)) {
    value = PyLong_AsLong(given);
    if (value == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
  } else if (given != Py_Ellipsis || (counted && dimensions >= 4)) {
    return false;
  }
  if (value < 0) value += dimensions;
  axis = static_cast<int>(value);
  return value >= 0 && value < dimensions - 1;
}

bool place_positions(PyObject* given, bool torch, const PlainRotation& rotation, Request& request) {
  if (given == Py_None) {
    fill_offset(request, 0);
    return true;
  }
  if (PyLong_CheckExact(given)) {
    const long long offset = PyLong_AsLongLong(given);
    if (offset == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
    constexpr int64_t far = int64_t{1} << 62;  // so that counting on cannot overflow
    fill_offset(request, offset);
    return offset > -far && offset < far;
  }
  ArrayView view;
  if (is_plain_array(given)) {
    if (!view_positions(py::reinterpret_borrow<py::array>(given), view) || is_fractional(view.kind)) return false;
  } else if (!torch || !is_torch_tensor(given) || !view_torch_positions(given, view, view.kind)) {
    return false;
  }
  // One without axes is an offset.
  return view.dimensions > 0 && !fill_positions(request, view, rotation.pair_section, rotation.sections) &&
         (!rotation.pair_section || view.shape[0] == rotation.sections);
}

Pinned::~Pinned() {
  while (count_) Py_XDECREF(references_[--count_]);
}

void Pinned::add(PyObject* array) {
  if (!array || !is_plain_array(array) || count_ == most_) return;
  references_[count_++] = PyWeakref_NewRef(array, nullptr);
  PyErr_Clear();
}

bool Memory::interleaves(const Memory& other) const {
  if (!(period == other.period && period > 0)) return false;
  const int64_t apart = (other.first - first) % period, place = apart < 0 ? apart + period : apart;
  return place >= inner && place + other.inner <= period;
}

}  // namespace yarncore::python
