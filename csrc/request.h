// What a kernel is asked to do: plain pointers, extents and strides. Everything in it has been checked.
// All strides are in bytes and signed; a stride of 0 repeats.
#pragma once

#include "element_types.h"
#include "portable.h"
#include "position_kinds.h"
#include "query_scale.h"

namespace yarncore {

constexpr int max_token_axes = 6;  // with the axis of heads and the elements: 8 axes
constexpr int max_sections = 8;

// The tokens of a tensor, and where they go.
struct Tokens {
  const char* in;    // the first element, of those that turn where some do, of the first head of the first token
  char* out;         // equal to `in` (with the same strides) when in place
  int64_t heads;     // 1 where there is no axis of heads
  int64_t head_dim;  // elements of a head, from `in` on
  int64_t in_token[max_token_axes], out_token[max_token_axes];
  int64_t in_head, out_head;
  int64_t in_element, out_element;
  bool from_pool, to_pool;  // they lie in the pools of `Paged`, along whose axes the strides of tokens are then
};

// One tensor to turn: q or k. The first 2 * pairs elements from `in` on turn.
struct Operand : Tokens {
  ElementType type;
  int64_t before;  // elements of a head before `in`, which pass through
  bool queries;    // its heads, whole, are multiplied by the query scale too
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

// Rows of cos and sin that were made before: row r stands at [r * 2 * capacity], first cos, then sin.
struct MadeRows {
  float* floats;
  double* doubles;    // one of both, the other is null
  uint8_t* identity;  // of each row, whether it turns nothing; null: there are no such rows
  // Where queries are scaled: by what, of each row; and how many rows further on they have one of their own. Else null,
  // 0.
  double* scales;
  int64_t query_rows;
};

// Tables of cos and sin as another program made them: of each token, `pairs` numbers of each.
struct GivenTables {
  const char *cos, *sin;  // null: there are none
  ElementType cos_type, sin_type;
  int64_t cos_token[max_token_axes], sin_token[max_token_axes];
  int64_t cos_element, sin_element;
};

// Where tokens lie in the axes of a pool: of each token of the request, in C order, its flattened index there; negative
// where there is none.
struct Pool {
  const int64_t* slots;  // null: there is no such pool
  int axes;
  int64_t extent[max_token_axes];

  YARNCORE_HOST_DEVICE int64_t tokens() const {
    int64_t count = 1;
    for (int axis = 0; axis < axes; ++axis) count *= extent[axis];
    return count;
  }
};

struct Request;

// What a request has beyond q and k where tokens are on their way out of pools or into them.
struct Paged {
  Pool source, target;
  Tokens values;         // they go along with the last operand, bit for bit; without heads: there are none
  int64_t value_size;    // bytes of an element: 1, 2, 4, 8 or 16
  const Request* other;  // by whose turns, positions and rows the tokens are turned too; null: none
};

struct Request {
  int operand_count;  // 1 or 2; 0 where only rows are made
  Operand operands[2];

  int token_axes;
  int64_t extent[max_token_axes];

  PositionKind position_kind;
  const char* positions;
  int64_t offset;  // for arange
  int64_t position_stride[max_token_axes];
  int64_t section_stride;       // from one section's positions to the next
  const uint8_t* pair_section;  // which section's position turns a pair; null where there is one position a token

  // What a token is turned by: a row of turns at its positions; or the row that was made of them; or that of the
  // tables, which leave nothing of `turns` but the number of pairs.
  TurnsTable turns;
  MadeRows made;
  GivenTables given;
  const char* row_index;  // int32 row of each token, of the turns or of those made; null: row 0
  int64_t row_stride[max_token_axes];

  // When set, only these flattened token indices are turned, -1 is skipped, and positions and rows are those of
  // the slots: one axis, stride 0.
  const int64_t* slots;
  int64_t slot_count;
  const Paged* paged;  // null: all tokens lie on the token axes; else `slots` is null

  bool conjugate;    // turn backwards
  bool interleaved;  // pairs (2i, 2i+1), otherwise (i, i + pairs)

  int64_t rotary_start;  // which element of a head is the first to turn

  QueryScale query_scale;  // by the positions above, without sections

  YARNCORE_HOST_DEVICE int64_t tokens() const {
    if (slots) return slot_count;
    int64_t count = 1;
    for (int axis = 0; axis < token_axes; ++axis) count *= extent[axis];
    return count;
  }
};

}  // namespace yarncore
