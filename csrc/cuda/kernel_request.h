// A request as a GPU kernel takes it: by value, with everything that the host can work out beforehand.
// The host fills it in plan.cpp. All strides are in bytes.
#pragma once

#include "../portable.h"
#include "../request.h"

namespace yarncore::cuda {

constexpr int max_pairs_by_value = 128;  // rotary_dim 256

struct KernelOperand {
  const char* in;
  char* out;
  int64_t in_token[max_token_axes], out_token[max_token_axes];
  int64_t in_head, out_head, in_element, out_element;
  uint32_t heads;
  uint32_t turning;   // accesses of a head (or pairs of them) that turn ...
  uint32_t behind;    // ... with those that copy what follows ...
  uint32_t accesses;  // ... and all, with those that copy what comes before
  uint32_t before;    // elements before those that turn
  bool in_place;      // each token stays where it is
  bool queries;       // its heads, whole, are multiplied by the query scale too
};

struct KernelRequest {
  KernelOperand operands[2];  // the second one without heads where there is one array
  int64_t extent[max_token_axes];
  int64_t position_stride[max_token_axes], row_stride[max_token_axes];
  int64_t tokens;  // of the grid, or slots

  const char* positions;  // on the device
  int64_t offset, section_stride;
  const char* row_index;  // int32 row of each token, on the device; null: row 0
  const int64_t* slots;   // on the device; null: every token
  int64_t slot_limit;     // slots outside of 0 ... slot_limit - 1 are skipped
  const uint32_t* table;  // (rows, 5, pairs) on the device; null: `words`
  const double* factors;  // of the rows of the table
  double factor;          // of `words`

  int64_t blocks;  // groups of tokens times parts
  uint32_t tokens_per_block;
  uint32_t parts;  // into how many blocks the heads of a group are split
  uint32_t tasks;  // of one token: the accesses of all heads
  uint32_t pairs, sections;
  int32_t token_axes;
  PositionKind position_kind;  // arange, int32 or int64
  bool conjugate;
  QueryScale query_scale;

  uint32_t words[4 * max_pairs_by_value];  // row 0: word w of pair i at [w * pairs + i]
  uint8_t pair_section[max_pairs_by_value];

  static constexpr bool paged = false;
  // Words that come by value are copied to shared memory, where each thread of a warp may read another one at once.
  YARNCORE_HOST_DEVICE uint32_t shared_words() const { return table ? 0 : 4 * pairs; }
  // Rows in shared memory begin at multiples of so many floats, so that an access to 4 of them is one.
  YARNCORE_HOST_DEVICE uint32_t row_stride_in_floats() const { return (pairs + 3) / 4 * 4; }
  // Those of a block: of every token; then, where queries are scaled, of the queries of every token.
  YARNCORE_HOST_DEVICE uint32_t rows() const {
    return query_scale.kind == QueryScale::none ? tokens_per_block : 2 * tokens_per_block;
  }
};

// What tokens are turned by too.
struct KernelTurns {
  const uint32_t* table;  // on the device; null: there is nothing else
  const double* factors;
  const char* positions;
  int64_t offset, section_stride;
  int64_t position_stride[max_token_axes], row_stride[max_token_axes];
  const char* row_index;
  PositionKind position_kind;
  bool conjugate;
};

// Tokens that are on their way out of pools or into them. Slots live on the device; those out of range are skipped.
struct PagedKernelRequest : KernelRequest {
  KernelOperand values;  // without heads where there are none; its elements are of the size of an operand's
  Pool source, target;
  KernelTurns other;
  bool from_pool[3], to_pool[3];  // of both operands and the values

  static constexpr bool paged = true;
};
static_assert(sizeof(PagedKernelRequest) <= 4000, "parameters of a kernel have 4 KiB");

// Where a token lies, made once by the thread of its first pair.
struct TokenPlace {
  enum State : int32_t { turned, copied, skipped };
  int64_t in[2], out[2];
  double scale;  // of its queries
  State state;
};
struct PagedTokenPlace {
  int64_t in[3], out[3];
  double scale;
  TokenPlace::State state;
  uint32_t absent;  // bit n: it is not in a pool of operand n
};

// What the kernel calls the place of a token of a request.
template <bool paged>
struct PlaceOf {
  using Type = TokenPlace;
};
template <>
struct PlaceOf<true> {
  using Type = PagedTokenPlace;
};

template <class R>
YARNCORE_HOST_DEVICE inline uint32_t shared_bytes(const R& request) {
  const uint32_t places = static_cast<uint32_t>(sizeof(typename PlaceOf<R::paged>::Type) + 15) / 16 * 16;
  return request.tokens_per_block * places + request.rows() * 2 * 4 * request.row_stride_in_floats() +
         4 * request.shared_words();
}

}  // namespace yarncore::cuda
