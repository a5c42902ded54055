// What a kernel is asked to do: plain pointers, extents and strides. Everything in it has been checked.
// All strides are in bytes and signed; a stride of 0 repeats.
#pragma once

#include "element_types.h"
#include "portable.h"
#include "position_kinds.h"

namespace yarncore {

constexpr int max_token_axes = 6;  // with the axis of heads and the elements: 8 axes
constexpr int max_sections = 8;

// One tensor to turn: q or k.
struct Operand {
  const char* in;  // the first element that turns, of the first head of the first token
  char* out;       // equal to `in` (with the same strides) when in place
  ElementType type;
  int64_t heads;     // 1 where there is no axis of heads
  int64_t before;    // elements of a head before `in`, which pass through
  int64_t head_dim;  // elements of a head from `in` on, of which the first 2 * pairs turn
  int64_t in_token[max_token_axes], out_token[max_token_axes];
  int64_t in_head, out_head;
  int64_t in_element, out_element;
};

// One or several rows of turns. Row r, word w, pair i stands at words[(r * 5 + w) * pairs + i]: four words of
// fraction, the least first, then the signed integer part (which only fractional positions need). The words of
// fraction stand once more in 64-bit lanes, as kernels multiply them, at lanes[(r * 4 + w) * capacity + i], with zeros
// after the last pair.
struct TurnsTable {
  const uint32_t* words;
  const uint64_t* lanes;
  const double* factors;  // attention factor of each row
  int64_t rows;
  int64_t pairs;
  int64_t capacity;  // pairs, rounded up to the widest register of any instruction set
};

YARNCORE_HOST_DEVICE static inline int64_t turns_capacity(int64_t pairs) { return (pairs + 31) / 32 * 32; }

struct Request {
  int operand_count;  // 1 or 2
  Operand operands[2];

  int token_axes;
  int64_t extent[max_token_axes];

  PositionKind position_kind;
  const char* positions;
  int64_t offset;  // for arange
  int64_t position_stride[max_token_axes];
  int64_t section_stride;       // from one section's positions to the next
  const uint8_t* pair_section;  // which section's position turns a pair; null where there is one position a token

  TurnsTable turns;
  const char* row_index;  // int32 row of each token; null: row 0
  int64_t row_stride[max_token_axes];

  // When set, only these flattened token indices are turned, -1 is skipped, and positions and rows are those of
  // the slots: one axis, stride 0.
  const int64_t* slots;
  int64_t slot_count;

  bool conjugate;    // turn backwards
  bool interleaved;  // pairs (2i, 2i+1), otherwise (i, i + pairs)

  int64_t rotary_start;  // which element of a head is the first to turn

  YARNCORE_HOST_DEVICE int64_t tokens() const {
    if (slots) return slot_count;
    int64_t count = 1;
    for (int axis = 0; axis < token_axes; ++axis) count *= extent[axis];
    return count;
  }
};

}  // namespace yarncore
