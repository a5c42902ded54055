#include "handler.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "../cpu/rotate.h"
#include "../owned_turns.h"

namespace yarncore::jax {
namespace {

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

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

int64_t item_size(DataType type) {
  switch (type) {
    case f64: case s64: return 8;
    case f32: case s32: case u32: return 4;
    case f16: case bf16: return 2;
    default: return 1;
  }
}

ElementType element_type(DataType type) {
  switch (type) {
    case f64: return ElementType::float64;
    case f32: return ElementType::float32;
    case bf16: return ElementType::bfloat16;
    case f16: return ElementType::float16;
    default: throw std::invalid_argument("these elements are not turned");
  }
}

PositionKind position_kind(DataType type) {
  switch (type) {
    case s32: return PositionKind::int32;
    case s64: return PositionKind::int64;
    case u32: return PositionKind::uint32;
    case f32: return PositionKind::float32;
    case f64: return PositionKind::float64;
    default: throw std::invalid_argument("positions of this type are not read");
  }
}

// Strides in bytes of a dense array, the last axis fastest.
void dense_strides(const Buffer& buffer, int64_t* strides) {
  int64_t step = item_size(buffer.type);
  for (int64_t axis = buffer.rank - 1; axis >= 0; --axis) {
    strides[axis] = step;
    step *= buffer.dims[axis];
  }
}

// Strides along the token axes of an array that has just these, and maybe one more.
void copy_token_strides(const Buffer& buffer, const Request& request, int64_t more, int64_t* to) {
  require(buffer.rank == request.token_axes + more, "positions or rows have the wrong number of axes");
  int64_t strides[max_token_axes + 1];
  dense_strides(buffer, strides);
  for (int axis = 0; axis < request.token_axes; ++axis) {
    require(buffer.dims[axis] == request.extent[axis], "positions or rows have the wrong shape");
    to[axis] = strides[axis];
  }
}

void fill(Operand& x, const Buffer& in, const Buffer& out, int64_t heads_axis, Request& request) {
  require(in.rank >= 1 && in.rank <= max_token_axes + 2 && out.rank == in.rank && out.type == in.type &&
              std::equal(in.dims, in.dims + in.rank, out.dims),
          "an argument and its result differ");
  int64_t strides[max_token_axes + 2];
  dense_strides(in, strides);
  x.in = static_cast<const char*>(in.data), x.out = static_cast<char*>(out.data);
  x.type = element_type(in.type);
  const int64_t heads = heads_axis ? in.rank + heads_axis : -1;
  require(heads < in.rank - 1 && heads >= -1 && !(heads_axis && heads < 0), "heads_axis is out of range");
  x.heads = heads >= 0 ? in.dims[heads] : 1;
  x.in_head = x.out_head = heads >= 0 ? strides[heads] : 0;
  x.head_dim = in.dims[in.rank - 1];
  require(x.head_dim >= 2 * request.turns.pairs, "head_dim is smaller than rotary_dim");
  x.in_element = x.out_element = strides[in.rank - 1];
  int axes = 0;
  for (int64_t axis = 0; axis < in.rank - 1; ++axis) {
    if (axis == heads) continue;
    require(axes < max_token_axes, "there are too many axes");
    require(request.token_axes == 0 || request.extent[axes] == in.dims[axis], "q and k differ in their tokens");
    request.extent[axes] = in.dims[axis];
    x.in_token[axes] = x.out_token[axes] = strides[axis];
    ++axes;
  }
  request.token_axes = axes;
}

void rotate(const CallFrame& frame) {
  const auto layout = attribute<int64_t>(frame.attributes, "layout", s64);
  const auto words = attribute<uint32_t>(frame.attributes, "words", u32);
  const auto factors = attribute<double>(frame.attributes, "factors", f64);
  const auto section = attribute<uint8_t>(frame.attributes, "pair_section", u8);
  require(layout.size == 4 && factors.size > 0 && words.size % (5 * factors.size) == 0, "the attributes do not fit");
  const OwnedTurns turns(words.data, factors.data, factors.size, words.size / (5 * factors.size));

  Request request{};
  request.turns = turns.table();
  request.interleaved = layout.data[1], request.conjugate = layout.data[2];
  const bool rows = layout.data[3];
  const int64_t count = frame.results.size;
  require((count == 1 || count == 2) && frame.arguments.size == count + 1 + rows, "one or two arrays are turned");
  request.operand_count = static_cast<int>(count);
  for (int64_t n = 0; n < count; ++n)
    fill(request.operands[n], *frame.arguments.buffers[n], *frame.results.buffers[n], layout.data[0], request);

  const bool sections = section.data[0] != 255;
  const Buffer& positions = *frame.arguments.buffers[count];
  request.position_kind = position_kind(positions.type);
  request.positions = static_cast<const char*>(positions.data);
  copy_token_strides(positions, request, sections, request.position_stride);
  if (sections) {
    require(section.size == request.turns.pairs && positions.dims[positions.rank - 1] <= 8 &&
                *std::max_element(section.data, section.data + section.size) < positions.dims[positions.rank - 1],
            "the sections do not fit");
    request.pair_section = section.data;
    request.section_stride = item_size(positions.type);
  }
  if (rows) {
    const Buffer& index = *frame.arguments.buffers[count + 1];
    require(index.type == s32, "rows are int32");
    request.row_index = static_cast<const char*>(index.data);
    copy_token_strides(index, request, 0, request.row_stride);
  }
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
