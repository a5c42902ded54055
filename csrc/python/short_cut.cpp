#include "short_cut.h"

#include <algorithm>
#include <cstdlib>

#include "../cpu/rotate.h"
#include "without_gil.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

constexpr int max_axes = max_token_axes + 2;

// An array that is exactly numpy.ndarray: a subclass may mean more than its memory.
bool is_plain_array(py::handle object) {
  return Py_TYPE(object.ptr()) == py::detail::npy_api::get().PyArray_Type_;
}

bool native_order(const py::dtype& dtype) {
  const char order = dtype.byteorder();
  return order == '=' || order == '|' || order == '<';
}

bool same_elements(const py::array& in, const py::array& out) {
  return in.dtype().num() == out.dtype().num() && native_order(out.dtype()) && in.ndim() == out.ndim() &&
         std::equal(in.shape(), in.shape() + in.ndim(), out.shape());
}

// The element type by the dtype; false for any that is not plainly one.
bool element_type_of(const py::array& array, ElementType& type) {
  switch (array.dtype().num()) {
    case py::detail::npy_api::NPY_FLOAT_: type = ElementType::float32; break;
    case py::detail::npy_api::NPY_DOUBLE_: type = ElementType::float64; break;
    case 23: type = ElementType::float16; break;  // NPY_HALF
    default: return false;
  }
  return native_order(array.dtype());
}

struct Extent {
  const char *first, *last;
  bool meets(const Extent& other) const { return first < other.last && other.first < last; }
};

// The bytes from the first to the last element; false unless no two elements share one, shown by nested strides.
bool extent_of(const py::array& array, Extent& extent_bytes) {
  int64_t strides[max_axes], extents[max_axes];
  int axes = 0;
  auto& [first, last] = extent_bytes;
  first = static_cast<const char*>(array.data());
  last = first + array.itemsize();
  for (int axis = 0; axis < array.ndim(); ++axis) {
    const int64_t extent = array.shape(axis), stride = array.strides(axis);
    if (extent == 0) return false;
    if (extent == 1) continue;
    (stride < 0 ? first : last) += stride * (extent - 1);
    int place = axes++;
    for (; place > 0 && strides[place - 1] > std::abs(stride); --place)
      strides[place] = strides[place - 1], extents[place] = extents[place - 1];
    strides[place] = std::abs(stride), extents[place] = extent;
  }
  int64_t span = array.itemsize();
  for (int axis = 0; axis < axes; ++axis) {
    if (strides[axis] < span) return false;
    span += strides[axis] * (extents[axis] - 1);
  }
  return true;
}

// The axis of heads counted from the front, or -1 for none; false where it is not given and cannot be guessed.
bool heads_axis_of(py::handle given, int dimensions, bool counted, int& axis) {
  if (given.is_none()) {
    axis = -1;
    return true;
  }
  long value = -2;
  if (PyLong_CheckExact(given.ptr())) {
    value = PyLong_AsLong(given.ptr());
    if (value == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
  } else if (given.ptr() != Py_Ellipsis || (counted && dimensions >= 4)) {
    return false;
  }
  if (value < 0) value += dimensions;
  axis = static_cast<int>(value);
  return value >= 0 && value < dimensions - 1;
}

// Positions that broadcast against the token axes, or an offset; false for anything else.
bool place_positions(py::handle given, Request& request) {
  if (given.is_none()) return true;
  if (PyLong_CheckExact(given.ptr())) {
    request.offset = PyLong_AsLongLong(given.ptr());
    if (request.offset == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
    constexpr int64_t far = int64_t{1} << 62;  // so that counting on cannot overflow
    return request.offset > -far && request.offset < far;
  }
  if (!is_plain_array(given)) return false;
  const auto array = py::reinterpret_borrow<py::array>(given);
  const char kind = array.dtype().kind();
  if ((kind != 'i' && kind != 'u') || !native_order(array.dtype()) || array.ndim() < 1 ||
      array.ndim() > request.token_axes)
    return false;
  const int leading = request.token_axes - static_cast<int>(array.ndim());
  for (int axis = 0; axis < array.ndim(); ++axis) {
    const int64_t extent = array.shape(axis);
    if (extent != 1 && extent != request.extent[leading + axis]) return false;
    request.position_stride[leading + axis] = extent == 1 ? 0 : array.strides(axis);
  }
  request.position_kind = position_kind(array.dtype());
  request.positions = static_cast<const char*>(array.data());
  return true;
}

}  // namespace

ShortCut::ShortCut(const Turns& turns, int64_t head_dim, bool interleaved, bool conjugate)
    : turns_(turns), head_dim_(head_dim), interleaved_(interleaved), conjugate_(conjugate) {
  if (turns.table().rows != 1) throw std::invalid_argument("the short cut is for a single row of turns");
}

bool ShortCut::rotate(py::handle q, py::handle k, py::handle q_out, py::handle k_out, py::handle positions,
                      py::handle heads_axis, py::handle type) const {
  const py::handle inputs[] = {q, k}, outputs[] = {q_out, k_out};
  Request request{};
  request.operand_count = k.is_none() ? 1 : 2;
  request.turns = turns_.table();
  request.interleaved = interleaved_;
  request.conjugate = conjugate_;
  request.position_kind = PositionKind::arange;
  const bool counted = positions.is_none() || PyLong_CheckExact(positions.ptr());
  Extent read[2], written[2];
  bool in_place[2];
  int64_t elements = 0;
  for (int n = 0; n < request.operand_count; ++n) {
    if (!is_plain_array(inputs[n]) || !is_plain_array(outputs[n])) return false;
    const auto in = py::reinterpret_borrow<py::array>(inputs[n]), out = py::reinterpret_borrow<py::array>(outputs[n]);
    const int dimensions = static_cast<int>(in.ndim());
    int heads = -1;
    if (dimensions < 1 || dimensions > max_axes || !out.writeable() ||
        !heads_axis_of(heads_axis, dimensions, counted, heads))
      return false;
    ElementType element{};
    if (type.is_none()) {
      if (!element_type_of(in, element)) return false;
    } else {
      element = element_type(type.cast<std::string>());
    }
    int axes[max_axes], count = 0;
    for (int axis = 0; axis < dimensions - 1; ++axis)
      if (axis != heads) axes[count++] = axis;
    if (count > max_token_axes) return false;
    if (n == 0) request.token_axes = count;
    if (count != request.token_axes) return false;
    for (int axis = 0; axis < count; ++axis) {
      if (n == 0) request.extent[axis] = in.shape(axes[axis]);
      if (in.shape(axes[axis]) != request.extent[axis]) return false;
    }
    const int64_t head_dim = in.shape(dimensions - 1);
    if ((head_dim_ >= 0 && head_dim != head_dim_) || head_dim < 2 * request.turns.pairs) return false;
    in_place[n] = inputs[n].is(outputs[n]);
    if (!extent_of(out, written[n]) || (!in_place[n] && !(extent_of(in, read[n]) && same_elements(in, out)))) return false;
    request.operands[n] = make_operand(in, out, element, heads >= 0, heads, axes, count);
    elements += in.size();
  }
  for (int n = 0; n < request.operand_count; ++n)
    for (int other = 0; other < request.operand_count; ++other) {
      if (n < other && written[n].meets(written[other])) return false;
      if (!in_place[other] && written[n].meets(read[other])) return false;
    }
  if (!place_positions(positions, request)) return false;
  constexpr int64_t long_call = 16 * 1024;
  if (elements < long_call) {
    cpu::rotate(request);
  } else {
    without_gil([&] { cpu::rotate(request); });
  }
  return true;
}

}  // namespace yarncore::python
