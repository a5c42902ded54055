#include "fill_request.h"

#include <algorithm>

namespace yarncore {
namespace {

// Which axis of a tensor a token axis is.
int axis_of(int token_axis, int heads_axis) { return token_axis + (heads_axis >= 0 && token_axis >= heads_axis); }

// Strides along the token axes (or the slots), after `leading` other axes.
const char* broadcast(const Request& request, const ArrayView& view, int leading, int64_t* strides) {
  const int axes = request.slots ? 1 : request.token_axes, own = view.dimensions - leading, missing = axes - own;
  if (own < 0 || missing < 0) return "positions, rows or tables have the wrong number of axes";
  std::fill_n(strides, missing, int64_t{0});
  for (int axis = 0; axis < own; ++axis) {
    const int64_t extent = view.shape[leading + axis];
    const int64_t wanted = request.slots ? request.slot_count : request.extent[missing + axis];
    if (extent != 1 && extent != wanted) return "positions, rows or tables have the wrong shape";
    strides[missing + axis] = extent == 1 ? 0 : view.strides[leading + axis];
  }
  return nullptr;
}

}  // namespace

const char* fill_inputs(Request& request, const ArrayView* inputs, int count, int heads_axis) {
  if (count != 1 && count != 2) return "one or two arrays are turned";
  request.operand_count = count;
  const int dimensions = inputs[0].dimensions, last = dimensions - 1;
  if (dimensions < 1 || heads_axis < -1 || heads_axis >= last) return "heads_axis is out of range";
  request.token_axes = last - (heads_axis >= 0);
  if (request.token_axes > max_token_axes) return "there are too many axes";
  for (int axis = 0; axis < request.token_axes; ++axis)
    request.extent[axis] = inputs[0].shape[axis_of(axis, heads_axis)];
  for (int n = 0; n < count; ++n) {
    const ArrayView& in = inputs[n];
    Operand& x = request.operands[n];
    if (in.dimensions != dimensions) return "q and k differ in the number of axes";
    if (in.itemsize != element_size(in.type)) return "element type and item size differ";
    x.before = request.rotary_start;
    x.in = in.data + x.before * in.strides[last];
    x.type = in.type;
    x.heads = heads_axis >= 0 ? in.shape[heads_axis] : 1;
    x.in_head = heads_axis >= 0 ? in.strides[heads_axis] : 0;
    x.head_dim = in.shape[last] - x.before;
    x.in_element = in.strides[last];
    if (x.before < 0 || x.head_dim < 2 * request.turns.pairs) return "head_dim is smaller than what turns";
    for (int axis = 0; axis < request.token_axes; ++axis) {
      const int place = axis_of(axis, heads_axis);
      if (in.shape[place] != request.extent[axis]) return "q and k differ in their tokens";
      x.in_token[axis] = in.strides[place];
    }
  }
  return nullptr;
}

const char* fill_output(Request& request, int operand, const ArrayView& input, const ArrayView& output,
                        int heads_axis) {
  if (output.type != input.type || output.itemsize != input.itemsize)
    return "input and output differ in their elements";
  if (output.dimensions != input.dimensions || !std::equal(input.shape, input.shape + input.dimensions, output.shape))
    return "input and output differ in shape";
  if (!output.writable) return "an output is read-only";
  Operand& x = request.operands[operand];
  x.out_head = heads_axis >= 0 ? output.strides[heads_axis] : 0;
  x.out_element = output.strides[output.dimensions - 1];
  x.out = output.data + x.before * x.out_element;
  for (int axis = 0; axis < request.token_axes; ++axis) x.out_token[axis] = output.strides[axis_of(axis, heads_axis)];
  return nullptr;
}

const char* fill_queries(Request& request, const QueryScale& scale, bool first, bool second) {
  if (scale.kind != QueryScale::none && (scale.length < 1 || scale.offset < 0 || scale.offset >> 31))
    return "a query scale has a length >= 1 and an offset below 2^31";
  const bool queries[] = {first, second};
  bool any = false;
  for (int n = 0; n < request.operand_count; ++n) any |= request.operands[n].queries = queries[n];
  request.query_scale = any ? scale : QueryScale{};
  return nullptr;
}

void fill_slots(Request& request, const int64_t* slots, int64_t count) {
  request.slots = slots;
  request.slot_count = count;
}

const char* fill_positions(Request& request, const ArrayView& positions, const uint8_t* pair_section,
                           int64_t sections) {
  request.position_kind = positions.kind;
  request.positions = positions.data;
  if (pair_section) {
    const int axes = request.slots ? 1 : request.token_axes;
    if (positions.dimensions != axes + 1) return "positions of sections have one more axis than the tokens";
    if (sections > max_sections || positions.shape[0] < sections) return "there are more sections than positions";
    request.pair_section = pair_section;
    request.section_stride = positions.strides[0];
  }
  return broadcast(request, positions, pair_section ? 1 : 0, request.position_stride);
}

void fill_offset(Request& request, int64_t offset) {
  request.position_kind = PositionKind::arange;
  request.offset = offset;
}

const char* fill_rows(Request& request, const ArrayView& rows) {
  if (rows.kind != PositionKind::int32) return "rows are int32";
  request.row_index = rows.data;
  return broadcast(request, rows, 0, request.row_stride);
}

bool fit_rows(const Request& request) {
  if (!request.made.identity) return true;
  if (!request.row_index) return false;
  for (int n = 0; n < request.operand_count; ++n)
    if (!(request.operands[n].type == ElementType::float64 ? static_cast<void*>(request.made.doubles)
                                                           : static_cast<void*>(request.made.floats)))
      return false;
  return true;
}

const char* fill_tables(Request& request, const ArrayView& cos, const ArrayView& sin) {
  const auto fill = [&](ArrayView view, const char*& data, ElementType& type, int64_t* token, int64_t& element) {
    if (view.dimensions < 1 || view.shape[view.dimensions - 1] != request.turns.pairs)
      return "a table has no row of pairs";
    if (view.itemsize != element_size(view.type)) return "element type and item size differ";
    data = view.data, type = view.type;
    element = view.strides[--view.dimensions];
    return broadcast(request, view, 0, token);
  };
  fill_offset(request, 0);
  GivenTables& given = request.given;
  if (const char* wrong = fill(cos, given.cos, given.cos_type, given.cos_token, given.cos_element)) return wrong;
  return fill(sin, given.sin, given.sin_type, given.sin_token, given.sin_element);
}

int64_t count_sections(const uint8_t* pair_section, int64_t pairs) {
  return pairs ? int64_t{*std::max_element(pair_section, pair_section + pairs)} + 1 : 0;
}

}  // namespace yarncore
