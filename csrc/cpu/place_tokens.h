// Where the tokens of a block lie, which row of the table turns each, and at which positions.
// `static inline`: each unit keeps its own copy.
#pragma once

#include <cstdint>

#include "../request.h"
#include "place_pools.h"
#include "schedule.h"
#include "scratch.h"
#include "token_positions.h"

namespace yarncore::cpu {

// The tokens up to `end` in the hands of one thread.
struct Part {
  const Request& request;
  const Schedule& schedule;
  const Scratch& scratch;
  int64_t sections;
  int64_t numbers;  // positions of a token: one a section, and as many again for the other turns
  int64_t end;
  int64_t query_rows;  // from the row of a token to that of its scaled queries
  bool has_keys;       // what is turned and not scaled
};

// Slots lie anywhere, so no processor foresees them: the tokens some way on are fetched whole.
static inline void prefetch_slot(const Request& request, int64_t position_in_list, int64_t end) {
  constexpr int64_t ahead = 2, line = 64;
  if (position_in_list + ahead >= end || request.slots[position_in_list + ahead] < 0) return;
  TokenIndex index(request, 0);
  index.decode(request, request.slots[position_in_list + ahead]);
  for (int n = 0; n < request.operand_count; ++n) {
    const Operand& x = request.operands[n];
    const char* token = x.in;
    for (int axis = 0; axis < request.token_axes; ++axis) token += index.at[axis] * x.in_token[axis];
    const int64_t bytes = x.head_dim * x.in_element;
    for (int64_t head = 0; head < x.heads; ++head, token += x.in_head)
      for (int64_t offset = 0; offset < bytes; offset += line) __builtin_prefetch(token + offset, 1);
  }
}

// What queries at a position are multiplied by.
static inline double query_scale_of(const Request& request, const Position& position) {
  const QueryScale& scale = request.query_scale;
  if (scale.kind == QueryScale::none) return 1.0;
  const bool negative = position.negative != request.conjugate;  // of the position itself
  if (!is_fractional(request.position_kind)) return query_scale_at(scale, position.magnitude, negative);
  const double magnitude = __builtin_ldexp(static_cast<double>(position.magnitude), position.exponent);
  return query_scale_at(scale, negative ? 0.0 : magnitude);
}

static inline int32_t read_table_row(const Request& request, const int64_t* at, int64_t token) {
  int32_t row = 0;
  if (request.row_index)
    __builtin_memcpy(&row, request.row_index + offset_of(request, at, token, request.row_stride), 4);
  return row;
}

// A token's positions, one a section. Returns whether all of them are 0.
static inline bool read_positions(const Request& request, const int64_t* at, int64_t token, int64_t sections,
                                  Position* positions) {
  const char* from = request.positions + offset_of(request, at, token, request.position_stride);
  bool origin = true;
  for (int64_t section = 0; section < sections; ++section) {
    positions[section] = request.position_kind == PositionKind::arange
                             ? arange_position(request.offset, request.token_axes ? at[request.token_axes - 1] : 0)
                             : read_position(request.position_kind, from + section * request.section_stride);
    positions[section].negative ^= request.conjugate;
    origin &= positions[section].magnitude == 0;
  }
  return origin;
}

// Fills the scratch with tokens [begin, end) of the part, without those that are skipped, and returns how many they
// are. `index` is that of `begin` and becomes that of `end`.
static inline int64_t place_tokens(const Part& part, TokenIndex& index, int64_t begin, int64_t end) {
  const Request& request = part.request;
  int64_t count = 0;
  for (int64_t token = begin; token < end; ++token, index.advance(request)) {
    if (request.slots) {
      if (request.slots[token] < 0) continue;
      index.decode(request, request.slots[token]);
      if (part.schedule.fetch_ahead) prefetch_slot(request, token, part.end);
    }
    const int64_t* at = index.at;
    Token& to = part.scratch.tokens[count];
    to = {};
    to.scale = 1.0;
    if (request.paged) {
      if (!place_in_pools(request, at, token, to)) continue;
      if (part.schedule.fetch_ahead) look_ahead(request, token, part.end, to);
      if (part.schedule.fetch_ahead && !part.schedule.stream_alignment) fetch_target(request, token, part.end);
    }
    to.row = count;
    to.table_row = read_table_row(request, at, token);
    Position* positions = part.scratch.positions + count * part.numbers;
    if (request.made.identity) {
      to.row = to.table_row;
      to.identity = request.made.identity[to.row];
      if (request.made.scales) to.scale = request.made.scales[to.row];
    } else if (request.given.cos) {
      to.cos = offset_of(request, at, token, request.given.cos_token);
      to.sin = offset_of(request, at, token, request.given.sin_token);
    } else {
      const bool origin = read_positions(request, at, token, part.sections, positions);
      to.identity = origin && request.turns.factors[to.table_row] == 1.0;
      to.scale = query_scale_of(request, positions[0]);
    }
    if (const Request* other = other_of(request)) {
      to.other_row = read_table_row(*other, at, token);
      const bool other_origin = read_positions(*other, at, token, part.sections, positions + part.sections);
      to.identity &= other_origin && other->turns.factors[to.other_row] == 1.0;
    }
    for (int n = 0; n < request.operand_count && !request.paged; ++n)
      for (int axis = 0; axis < request.token_axes; ++axis) {
        to.in[n] += at[axis] * request.operands[n].in_token[axis];
        to.out[n] += at[axis] * request.operands[n].out_token[axis];
      }
    ++count;
  }
  return count;
}

}  // namespace yarncore::cpu
