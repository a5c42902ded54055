#include "handler.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "../cpu/rotate.h"
#include "../fill_request.h"
#include "../owned_turns.h"
#include "../require.h"

namespace yarncore::jax {
namespace {

constexpr uint8_t no_sections = 255;  // the attribute is never empty

template <class T>
struct Span {
  const T* data;
  int64_t size;
};

template <class T>
Span<T> attribute(const Attributes& all, const char* name, DataType type) {
  for (int64_t n = 0; n < all.size; ++n)
    if (all.names[n]->length == std::strlen(name) && !std::memcmp(all.names[n]->text, name, all.names[n]->length)) {
      const auto& array = *static_cast<const ArrayAttribute*>(all.attributes[n]);
      require(all.kinds[n] == 1 && array.type == type, "an attribute has another type");
      return {static_cast<const T*>(array.data), static_cast<int64_t>(array.size)};
    }
  throw std::invalid_argument(std::string("the attribute ") + name + " is missing");
}

// A dense array, the last axis fastest.
ArrayView view_of(const Buffer& buffer, int64_t itemsize) {
  require(buffer.rank <= max_axes, "there are too many axes");
  ArrayView view{};
  view.data = static_cast<char*>(buffer.data);
  view.dimensions = static_cast<int>(buffer.rank);
  view.itemsize = itemsize;
  view.writable = true;
  int64_t step = itemsize;
  for (int axis = view.dimensions - 1; axis >= 0; --axis) {
    view.shape[axis] = buffer.dims[axis];
    view.strides[axis] = step;
    step *= buffer.dims[axis];
  }
  return view;
}

ArrayView tensor(const Buffer& buffer) {
  ElementType type;
  const auto is = [&](const ElementInfo& info) { return info.xla == buffer.type; };
  require(find_element_type(is, type), "these elements are not turned");
  ArrayView view = view_of(buffer, element_size(type));
  view.type = type;
  return view;
}

// Positions or rows.
ArrayView numbers(const Buffer& buffer) {
  PositionKind kind;
  const auto is = [&](const PositionInfo& info) { return info.xla == buffer.type; };
  require(find_position_kind(is, kind), "positions of this type are not read");
  ArrayView view = view_of(buffer, position_kinds[static_cast<int>(kind)].size);
  view.kind = kind;
  return view;
}

// The same with the last axis as the first.
ArrayView last_axis_first(ArrayView view) {
  std::rotate(view.shape, view.shape + view.dimensions - 1, view.shape + view.dimensions);
  std::rotate(view.strides, view.strides + view.dimensions - 1, view.strides + view.dimensions);
  return view;
}

void fill_tensors(Request& request, const Buffers& arguments, const Buffers& results, int64_t heads_axis) {
  ArrayView inputs[2];
  for (int64_t n = 0; n < results.size; ++n) inputs[n] = tensor(*arguments.buffers[n]);
  const int64_t axis = heads_axis ? inputs[0].dimensions + heads_axis : -1;
  require(!heads_axis || axis >= 0, "heads_axis is out of range");
  const int from_front = static_cast<int>(axis), count = static_cast<int>(results.size);
  require(fill_inputs(request, inputs, count, from_front));
  for (int n = 0; n < count; ++n) require(fill_output(request, n, inputs[n], tensor(*results.buffers[n]), from_front));
}

// Its five numbers as doubles, which hold them exactly.
QueryScale query_scale_of(const double* numbers) {
  return {static_cast<QueryScale::Kind>(static_cast<int>(numbers[0])), numbers[4] != 0, numbers[1],
          static_cast<int64_t>(numbers[2]), static_cast<int64_t>(numbers[3])};
}

void rotate(const CallFrame& frame) {
  const auto layout = attribute<int64_t>(frame.attributes, "layout", s64);
  const auto words = attribute<uint32_t>(frame.attributes, "words", u32);
  const auto factors = attribute<double>(frame.attributes, "factors", f64);
  const auto section = attribute<uint8_t>(frame.attributes, "pair_section", u8);
  const auto scale = attribute<double>(frame.attributes, "query_scale", f64);
  require(layout.size == 5 && scale.size == 6 && factors.size > 0 && words.size % (5 * factors.size) == 0,
          "the attributes do not fit");
  const OwnedTurns turns(words.data, factors.data, factors.size, words.size / (5 * factors.size));

  Request request{};
  request.turns = turns.table();
  request.interleaved = layout.data[1], request.conjugate = layout.data[2];
  request.rotary_start = layout.data[4];
  const bool rows = layout.data[3];
  const int64_t count = frame.results.size;
  require((count == 1 || count == 2) && frame.arguments.size == count + 1 + rows, "one or two arrays are turned");
  fill_tensors(request, frame.arguments, frame.results, layout.data[0]);
  require(fill_queries(request, query_scale_of(scale.data), true, scale.data[5] != 0));

  const ArrayView positions = numbers(*frame.arguments.buffers[count]);
  if (section.data[0] == no_sections) {
    require(fill_positions(request, positions, nullptr, 1));
  } else {
    require(section.size == request.turns.pairs && positions.dimensions > 0, "the sections do not fit");
    require(
        fill_positions(request, last_axis_first(positions), section.data, count_sections(section.data, section.size)));
  }
  if (rows) require(fill_rows(request, numbers(*frame.arguments.buffers[count + 1])));
  cpu::rotate(request);
}

}  // namespace

Error* rotate_handler(CallFrame* frame) {
  for (Extension* asked = frame->extension_start; asked; asked = asked->next)
    if (asked->type == metadata_extension) {
      Metadata& metadata = *reinterpret_cast<MetadataExtension*>(asked)->metadata;
      metadata.api_version.major_version = major_version;
      metadata.api_version.minor_version = minor_version;
      metadata.traits = 0;
      return nullptr;
    }
  try {
    rotate(*frame);
    return nullptr;
  } catch (const std::exception& error) {
    ErrorArguments arguments{sizeof(ErrorArguments), nullptr, error.what(), invalid_argument};
    return frame->api->create_error(&arguments);
  }
}

}  // namespace yarncore::jax
