// The memory that a thread works in: rows of a block of tokens, and what making them needs.
// `static inline`: each unit keeps its own copy.
#pragma once

#include <cstdint>

#include "../request.h"
#include "element_lanes.h"
#include "make_row.h"
#include "token_positions.h"

namespace yarncore::cpu {

constexpr int values_place = 2;

// A token of the block that is being worked on.
struct Token {
  int64_t in[3], out[3];  // byte offset in each operand, and at `values_place` in the values
  int64_t ahead[3];       // bytes from it to the token of the pool that is to be fetched meanwhile; 0: none
  int64_t row;            // which of the block's rows
  int32_t table_row;      // of the table of turns, from which it is made; or of the rows that were made before
  int32_t other_row;      // of the table of the other turns
  int64_t cos, sin;       // byte offset in tables that are given
  bool identity;          // of a token that is not scaled
  bool absent[3];         // it is not in this operand's pool
  double scale;           // of queries; 1: they are turned as keys are
};

struct Scratch {
  Row<float> float_rows;
  Row<double> double_rows;
  Token* tokens;
  Position* positions;  // of each token, one a section
  char* head;           // one head, contiguous
  PhaseScratch phases;
  int64_t bytes;
};

// Rows one after the other, in each first cos, then sin.
template <class Factor>
static inline Row<Factor> rows_at(Factor* memory, int64_t capacity) {
  return {memory, memory + capacity};
}

static inline const Request* other_of(const Request& request) { return request.paged ? request.paged->other : nullptr; }

// With a null `memory`, only `bytes` counts.
static inline Scratch lay_out_scratch(const Request& request, int64_t tokens_per_block, char* memory) {
  Scratch scratch{};
  const auto take = [&](int64_t bytes) {
    char* taken = memory + scratch.bytes;
    scratch.bytes += (bytes + 63) / 64 * 64;
    return taken;
  };
  const int64_t rows = tokens_per_block * (request.query_scale.kind == QueryScale::none ? 1 : 2);
  const int64_t numbers = request.made.identity ? 0 : 2 * request.turns.capacity * rows;
  int64_t head_bytes = 0;
  bool floats = false, doubles = false;
  for (int n = 0; n < request.operand_count; ++n) {
    const Operand& x = request.operands[n];
    (has_double_rows(x.type) ? doubles : floats) = true;
    const int64_t bytes = x.head_dim * static_cast<int64_t>(element_size(x.type));
    if (bytes > head_bytes) head_bytes = bytes;
  }
  if (floats) scratch.float_rows = rows_at(reinterpret_cast<float*>(take(4 * numbers)), request.turns.capacity);
  if (doubles) scratch.double_rows = rows_at(reinterpret_cast<double*>(take(8 * numbers)), request.turns.capacity);
  take(64);  // a block may read a register beyond its row
  scratch.tokens = reinterpret_cast<Token*>(take(static_cast<int64_t>(sizeof(Token)) * tokens_per_block));
  const int64_t positions = tokens_per_block * (request.pair_section ? max_sections : 1) * (other_of(request) ? 2 : 1);
  scratch.positions = reinterpret_cast<Position*>(take(static_cast<int64_t>(sizeof(Position)) * positions));
  scratch.head = take(head_bytes);
  if (request.pair_section || is_fractional(request.position_kind)) {
    const auto words = [&] { return reinterpret_cast<uint64_t*>(take(8 * request.turns.capacity)); };
    PhaseScratch& phases = scratch.phases;
    phases.high = words(), phases.low = words(), phases.negate = words();
    phases.tiny = reinterpret_cast<double*>(words());
    phases.section_of = reinterpret_cast<uint8_t*>(take(request.turns.capacity));
  }
  return scratch;
}

}  // namespace yarncore::cpu
