#include "arrays.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "array_view.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

const char* data_of(const py::array& array) { return static_cast<const char*>(array.data()); }

ArrayView view_of(const py::array& array, ElementType type) {
  ArrayView view{};
  view.data = static_cast<char*>(const_cast<void*>(array.data()));
  view.dimensions = static_cast<int>(array.ndim());
  view.itemsize = array.itemsize();
  view.writable = array.writeable();
  view.type = type;
  std::copy_n(array.shape(), view.dimensions, view.shape);
  std::copy_n(array.strides(), view.dimensions, view.strides);
  return view;
}

// Input and output of an operand; throws where they do not fit each other.
std::pair<ArrayView, ArrayView> views_of(const py::array& in, const py::array& out, ElementType type) {
  require(static_cast<size_t>(in.itemsize()) == element_size(type) && out.itemsize() == in.itemsize(),
          "element type and item size differ");
  require(out.ndim() == in.ndim() && std::equal(in.shape(), in.shape() + in.ndim(), out.shape()),
          "input and output differ in shape");
  require(out.writeable(), "output is read-only");
  return {view_of(in, type), view_of(out, type)};
}

// The axes of an operand that are neither heads nor elements.
std::vector<int> token_axes_of(const Call& call, int dimensions) {
  std::vector<int> axes;
  for (int axis = 0; axis < dimensions - 1; ++axis)
    if (!(call.has_heads_axis && axis == call.heads_axis)) axes.push_back(axis);
  return axes;
}

// Strides of an array that has one axis for each token axis (or one for the slots), after `leading` others.
void copy_strides(const py::array& array, int leading, const Request& request, int64_t* stride) {
  const int axes = request.slots ? 1 : request.token_axes;
  require(array.ndim() == leading + axes, "positions or rows have the wrong number of axes");
  for (int axis = 0; axis < axes; ++axis) {
    const int64_t extent = request.slots ? request.slot_count : request.extent[axis];
    require(array.shape(leading + axis) == extent, "positions or rows have the wrong shape");
    stride[axis] = array.strides(leading + axis);
  }
}

}  // namespace

ElementType element_type(const std::string& name) {
  for (const ElementName& known : element_names)
    if (name == known.name) return known.type;
  throw std::invalid_argument("unknown element type " + name);
}

PositionKind position_kind(const py::dtype& dtype) {
  const int64_t size = dtype.itemsize();
  switch (dtype.kind()) {
    case 'i': return size == 1 ? PositionKind::int8 : size == 2 ? PositionKind::int16
                   : size == 4 ? PositionKind::int32 : PositionKind::int64;
    case 'u': return size == 1 ? PositionKind::uint8 : size == 2 ? PositionKind::uint16
                   : size == 4 ? PositionKind::uint32 : PositionKind::uint64;
    case 'f':
      if (size == 4) return PositionKind::float32;
      if (size == 8) return PositionKind::float64;
  }
  throw std::invalid_argument("positions of this dtype cannot be read");
}

namespace {

OwnedTurns checked_turns(const py::array_t<uint32_t, py::array::c_style>& words,
                         const py::array_t<double, py::array::c_style>& factors) {
  require(words.ndim() == 3 && words.shape(1) == 5, "turns have the shape (rows, 5, pairs)");
  require(factors.ndim() == 1 && factors.shape(0) == words.shape(0), "there is one factor a row");
  return {words.data(), factors.data(), words.shape(0), words.shape(2)};
}

}  // namespace

Turns::Turns(const py::array_t<uint32_t, py::array::c_style>& words,
             const py::array_t<double, py::array::c_style>& factors)
    : OwnedTurns(checked_turns(words, factors)) {}

Request make_request(const Turns& turns, const Call& call) {
  Request request{};
  const size_t count = call.inputs.size();
  require((count == 1 || count == 2) && call.outputs.size() == count && call.types.size() == count,
          "one or two arrays are turned");
  request.operand_count = static_cast<int>(count);
  request.turns = turns.table();
  request.interleaved = call.interleaved;
  request.conjugate = call.conjugate;
  const int dimensions = static_cast<int>(call.inputs[0].ndim());
  require(dimensions >= 1 && (!call.has_heads_axis || (call.heads_axis >= 0 && call.heads_axis < dimensions - 1)),
          "heads_axis is out of range");
  const std::vector<int> axes = token_axes_of(call, dimensions);
  require(axes.size() <= static_cast<size_t>(max_token_axes), "too many axes");
  request.token_axes = static_cast<int>(axes.size());
  for (size_t axis = 0; axis < axes.size(); ++axis) request.extent[axis] = call.inputs[0].shape(axes[axis]);
  for (size_t n = 0; n < count; ++n) {
    require(call.inputs[n].ndim() == dimensions, "arrays differ in the number of axes");
    for (size_t axis = 0; axis < axes.size(); ++axis)
      require(call.inputs[n].shape(axes[axis]) == request.extent[axis], "arrays differ in their tokens");
    const auto [in, out] = views_of(call.inputs[n], call.outputs[n], element_type(call.types[n]));
    fill_operand(request.operands[n], in, out, call.has_heads_axis ? call.heads_axis : -1, axes.data(),
                 request.token_axes);
    require(request.operands[n].head_dim >= 2 * request.turns.pairs, "head_dim is smaller than rotary_dim");
  }
  if (call.slots) {
    require(call.slots->dtype().is(py::dtype::of<int64_t>()) && call.slots->ndim() == 1 &&
                (call.slots->flags() & py::array::c_style),
            "slots are contiguous int64");
    request.slots = reinterpret_cast<const int64_t*>(call.slots->data());
    request.slot_count = call.slots->shape(0);
    int64_t tokens = 1;
    for (int axis = 0; axis < request.token_axes; ++axis) tokens *= request.extent[axis];
    for (int64_t i = 0; i < request.slot_count && !call.on_device; ++i)
      require(request.slots[i] >= -1 && request.slots[i] < tokens, "a slot is out of range");
  }
  int sections = 0;
  if (call.pair_section) {
    require(call.pair_section->itemsize() == 1 && call.pair_section->size() == request.turns.pairs &&
                call.positions && call.positions->ndim() >= 1,
            "pair_section has one byte a pair");
    request.pair_section = reinterpret_cast<const uint8_t*>(call.pair_section->data());
    sections = *std::max_element(request.pair_section, request.pair_section + request.turns.pairs) + 1;
    require(sections <= 8 && call.positions->shape(0) >= sections, "there are more sections than positions");
    request.section_stride = call.positions->strides(0);
  }
  if (call.positions) {
    request.position_kind = position_kind(call.positions->dtype());
    request.positions = data_of(*call.positions);
    copy_strides(*call.positions, call.pair_section ? 1 : 0, request, request.position_stride);
  } else {
    request.position_kind = PositionKind::arange;
    request.offset = call.offset;
  }
  if (call.rows) {
    require(call.rows->itemsize() == 4, "rows are int32");
    request.row_index = data_of(*call.rows);
    copy_strides(*call.rows, 0, request, request.row_stride);
  }
  return request;
}

}  // namespace yarncore::python
