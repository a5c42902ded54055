#include "plain_call.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "../cpu/rotate.h"
#include "array_view.h"
#include "arrays.h"
#include "fresh_results.h"
#include "torch_tensors.h"
#include "without_gil.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

struct Memory {
  const char *first, *last;
  bool meets(const Memory& other) const { return first < other.last && other.first < last; }
};

// The bytes from the first to the last element; false unless no two elements share one, shown by nested strides.
bool memory_of(const ArrayView& view, Memory& memory) {
  int64_t strides[max_axes], extents[max_axes];
  int axes = 0;
  auto& [first, last] = memory;
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
  for (int axis = 0; axis < axes; ++axis) {
    if (strides[axis] < span) return false;
    span += strides[axis] * (extents[axis] - 1);
  }
  return true;
}

// An array that is exactly numpy.ndarray: a subclass may mean more than its memory.
bool is_plain_array(PyObject* object) { return Py_TYPE(object) == py::detail::npy_api::get().PyArray_Type_; }

// Shape, strides and memory; false for another byte order or too many axes.
bool view_numpy_memory(const py::array& array, ArrayView& view) {
  const char order = array.dtype().byteorder();
  if ((order != '=' && order != '|' && order != '<') || array.ndim() > max_axes || array.ndim() < 1) return false;
  view.data = static_cast<char*>(const_cast<void*>(array.data()));
  view.dimensions = static_cast<int>(array.ndim());
  view.itemsize = array.itemsize();
  view.writable = array.writeable();
  std::copy_n(array.shape(), view.dimensions, view.shape);
  std::copy_n(array.strides(), view.dimensions, view.strides);
  return true;
}

bool view_numpy_array(PyObject* object, ArrayView& view) {
  const auto array = py::reinterpret_borrow<py::array>(object);
  switch (const int number = array.dtype().num()) {
    case py::detail::npy_api::NPY_FLOAT_: view.type = ElementType::float32; break;
    case py::detail::npy_api::NPY_DOUBLE_: view.type = ElementType::float64; break;
    case 23: view.type = ElementType::float16; break;  // NPY_HALF
    default: {
      constexpr int first_user_type = 256;
      const auto* type = reinterpret_cast<PyTypeObject*>(py::detail::array_descriptor_proxy(array.dtype().ptr())->typeobj);
      if (number < first_user_type || std::strcmp(type->tp_name, "ml_dtypes.bfloat16") != 0)
        return false;
      view.type = ElementType::bfloat16;
    }
  }
  return view_numpy_memory(array, view);
}

// The axis of heads counted from the front, or -1 for none; false where it is not given and cannot be guessed.
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

// Positions that broadcast against the token axes, or an offset; false for anything else. Tensors serve tensors only.
// With sections there is one more leading axis, but a count is the same for each.
bool place_positions(PyObject* given, bool torch, const PlainRotation& rotation, Request& request) {
  request.position_kind = PositionKind::arange;
  if (given == Py_None) return true;
  if (PyLong_CheckExact(given)) {
    request.offset = PyLong_AsLongLong(given);
    if (request.offset == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
    constexpr int64_t far = int64_t{1} << 62;  // so that counting on cannot overflow
    return request.offset > -far && request.offset < far;
  }
  ArrayView view;
  if (is_plain_array(given)) {
    const auto array = py::reinterpret_borrow<py::array>(given);
    const char kind = array.dtype().kind();
    if ((kind != 'i' && kind != 'u') || !view_numpy_memory(array, view)) return false;
    request.position_kind = position_kind(array.dtype());
  } else if (!torch || !is_torch_tensor(given) || !view_torch_positions(given, view, request.position_kind)) {
    return false;
  }
  const int first = rotation.pair_section ? 1 : 0;  // axis of the positions that goes along tokens
  if (rotation.pair_section) {
    if (view.dimensions != request.token_axes + 1 || view.shape[0] != rotation.sections) return false;
    request.pair_section = rotation.pair_section;
    request.section_stride = view.strides[0];
  }
  const int leading = request.token_axes - (view.dimensions - first);
  if (leading < 0) return false;
  for (int axis = 0; axis < view.dimensions - first; ++axis) {
    const int64_t extent = view.shape[first + axis];
    if (extent != 1 && extent != request.extent[leading + axis]) return false;
    request.position_stride[leading + axis] = extent == 1 ? 0 : view.strides[first + axis];
  }
  request.positions = view.data;
  return true;
}

bool fit(const ArrayView& in, const ArrayView& out) {
  return in.type == out.type && in.dimensions == out.dimensions &&
         std::equal(in.shape, in.shape + in.dimensions, out.shape);
}

// Weak references forbid ndarray.resize, even with refcheck=False, while the GIL is given up.
class Pinned {
 public:
  void add(PyObject* array) {
    if (!is_plain_array(array)) return;
    references_[count_++] = PyWeakref_NewRef(array, nullptr);
    PyErr_Clear();
  }
  ~Pinned() {
    while (count_) Py_XDECREF(references_[--count_]);
  }

 private:
  PyObject* references_[5];
  int count_ = 0;
};

// What a call turns into what; all borrowed. k and k_out are null where there is no k.
struct Arrays {
  PyObject *in[2], *out[2];
  int count;
};

// A call while it is checked: inputs, then positions, then outputs. Every step answers false where it declines.
class Check {
 public:
  Check(const PlainRotation& rotation, const Arrays& arrays) : rotation_(rotation), arrays_(arrays) {
    request.operand_count = arrays.count;
    request.turns = rotation.turns;
    request.interleaved = rotation.interleaved;
    request.conjugate = rotation.conjugate;
  }

  bool inputs(PyObject* positions, PyObject* heads_axis) {
    torch_ = is_torch_tensor(arrays_.in[0]);
    if (torch_ && !(state_ = torch_state()).plain) return false;
    const bool counted = positions == Py_None || PyLong_CheckExact(positions);
    for (int n = 0; n < arrays_.count; ++n) {
      const bool in_place = arrays_.in[n] == arrays_.out[n];
      if (!view_of(arrays_.in[n], in_place, in_[n]) || !heads_axis_of(heads_axis, in_[n].dimensions, counted, heads_[n]) ||
          !tokens(n))
        return false;
    }
    return place_positions(positions, torch_, rotation_, request);
  }

  bool outputs() {
    Memory read[2], written[2];
    for (int n = 0; n < arrays_.count; ++n) {
      const bool in_place = arrays_.in[n] == arrays_.out[n];
      ArrayView out = in_[n];
      if (!in_place && (!view_of(arrays_.out[n], true, out) || !fit(in_[n], out) || !memory_of(in_[n], read[n])))
        return false;
      if (!out.writable || !memory_of(out, written[n])) return false;
      fill_operand(request.operands[n], in_[n], out, heads_[n], axes_[n], request.token_axes);
    }
    for (int n = 0; n < arrays_.count; ++n)
      for (int other = 0; other < arrays_.count; ++other) {
        if (n < other && written[n].meets(written[other])) return false;
        if (arrays_.in[other] != arrays_.out[other] && written[n].meets(read[other])) return false;
      }
    return true;
  }

  bool torch() const { return torch_; }
  int64_t elements() const { return in_[0].elements() + (arrays_.count == 2 ? in_[1].elements() : 0); }

  Request request{};

 private:
  bool view_of(PyObject* object, bool write, ArrayView& view) const {
    return torch_ ? is_torch_tensor(object) && view_torch_tensor(object, state_, write, view)
                  : is_plain_array(object) && view_numpy_array(object, view);
  }

  // The token axes of operand n, the same for both.
  bool tokens(int n) {
    const ArrayView& in = in_[n];
    int count = 0;
    for (int axis = 0; axis < in.dimensions - 1; ++axis)
      if (axis != heads_[n]) axes_[n][count++] = axis;
    if (count > max_token_axes) return false;
    if (n == 0) request.token_axes = count;
    if (count != request.token_axes) return false;
    for (int axis = 0; axis < count; ++axis) {
      if (n == 0) request.extent[axis] = in.shape[axes_[n][axis]];
      if (in.shape[axes_[n][axis]] != request.extent[axis]) return false;
    }
    const int64_t head_dim = in.shape[in.dimensions - 1];
    return (rotation_.head_dim < 0 || head_dim == rotation_.head_dim) && head_dim >= 2 * request.turns.pairs;
  }

  const PlainRotation& rotation_;
  const Arrays& arrays_;
  ArrayView in_[2];
  int heads_[2], axes_[2][max_axes];
  bool torch_ = false;
  TorchState state_{};
};

}  // namespace

PyObject* rotate_if_plain(const PlainRotation& rotation, PyObject* q, PyObject* k, PyObject* positions,
                          PyObject* heads_axis, bool in_place, PyObject* out) {
  Arrays arrays{{q, k == Py_None ? nullptr : k}, {}, k == Py_None ? 1 : 2};
  const bool fresh = !in_place && out == Py_None;
  if (in_place) {
    std::copy_n(arrays.in, 2, arrays.out);
  } else if (!fresh) {
    const bool several = PyTuple_CheckExact(out) || PyList_CheckExact(out);
    if (several != (arrays.count == 2) || (several && PySequence_Fast_GET_SIZE(out) != 2)) return nullptr;
    arrays.out[0] = several ? PySequence_Fast_GET_ITEM(out, 0) : out;
    arrays.out[1] = several ? PySequence_Fast_GET_ITEM(out, 1) : nullptr;
  }
  Check check(rotation, arrays);
  if (!check.inputs(positions, heads_axis)) return nullptr;
  py::object made[2];
  if (fresh)
    for (int n = 0; n < arrays.count; ++n) {
      made[n] = py::reinterpret_steal<py::object>(fresh_like(arrays.in[n]));
      if (!made[n]) return nullptr;
      arrays.out[n] = made[n].ptr();
    }
  if (!check.outputs()) return nullptr;
  // References of our own: another thread may change a list given as `out` meanwhile.
  const auto q_out = py::reinterpret_borrow<py::object>(arrays.out[0]);
  const auto k_out = py::reinterpret_borrow<py::object>(arrays.out[1]);
  if (check.elements() < long_call) {
    cpu::rotate(check.request);
  } else {
    Pinned pinned;
    for (PyObject* object : {arrays.in[0], arrays.in[1], arrays.out[0], arrays.out[1], positions})
      if (object) pinned.add(object);
    without_gil([&] { cpu::rotate(check.request); });
  }
  const bool changed = check.torch() && !fresh;
  if (arrays.count == 1 && !changed) return Py_NewRef(q_out.ptr());
  auto results = py::reinterpret_steal<py::object>(PyTuple_Pack(arrays.count, q_out.ptr(), k_out.ptr()));
  if (!results || (changed && !bump_versions(results.ptr()))) return nullptr;
  return arrays.count == 2 ? results.release().ptr() : Py_NewRef(q_out.ptr());
}

}  // namespace yarncore::python
