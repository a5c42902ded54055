// The loop of the CPU over the tokens of a thread: for each make one row of cos and sin, or load one, then turn every
// head of q and k by it. Templates over the Lanes of an instruction set; instantiated once in each unit of cpu/isa/.
#pragma once

#include <cstdint>

#include "../request.h"
#include "carry_values.h"
#include "kernel_table.h"
#include "load_row.h"
#include "make_joined_row.h"
#include "make_row.h"
#include "place_tokens.h"
#include "scratch.h"
#include "turn_operand.h"

namespace yarncore::cpu {

// What the row that was made last belongs to: a token at the same positions is turned by it too.
struct LastRow {
  int32_t table_row = -1, other_row = -1;
  Position positions[2 * max_sections];

  bool serves(const Token& token, const Position* others, int64_t numbers) const {
    bool same = token.table_row == table_row && token.other_row == other_row;
    for (int64_t n = 0; n < numbers; ++n) same &= same_position(others[n], positions[n]);
    return same;
  }
  void keep(const Token& token, const Position* others, int64_t numbers) {
    for (int64_t n = 0; n < numbers; ++n) positions[n] = others[n];
    table_row = token.table_row, other_row = token.other_row;
  }
};

// The row of a token, for what is scaled beside.
template <class Lanes, class Coefficients, class Factor>
inline void make_row_of(const Part& part, const Token& token, const Position* positions, double scale,
                        Row<Factor> row) {
  const Request& request = part.request;
  if (const Request* other = other_of(request))
    make_joined_row<Lanes, Coefficients>(request, *other, row, part.scratch.phases, token.table_row, token.other_row,
                                         positions, part.sections);
  else
    make_row<Lanes, Coefficients>(request, row, part.scratch.phases, token.table_row, positions, part.sections, scale);
}

// The same in the type, or both types, of the rows.
template <class Lanes>
inline void make_row_of(const Part& part, const Token& token, const Position* positions, double scale, int64_t row) {
  const Scratch& scratch = part.scratch;
  const int64_t first = row * 2 * part.request.turns.capacity;
  if (scratch.float_rows.cos)
    make_row_of<Lanes, DoubleToFloat>(part, token, positions, scale, scratch.float_rows.from(first));
  if (scratch.double_rows.cos)
    make_row_of<Lanes, DoubleToDouble>(part, token, positions, scale, scratch.double_rows.from(first));
}

// The same where tables are given.
static inline void load_rows(const Part& part, int64_t count) {
  for (int64_t n = 0; n < count; ++n) {
    Token& token = part.scratch.tokens[n];
    const int64_t first = token.row * 2 * part.request.turns.capacity;
    if (part.scratch.float_rows.cos)
      token.identity = load_row(part.request, token.cos, token.sin, part.scratch.float_rows.from(first));
    if (part.scratch.double_rows.cos)
      token.identity = load_row(part.request, token.cos, token.sin, part.scratch.double_rows.from(first));
  }
}

// The rows of the first `count` tokens of the scratch. A lone row stays where it is and may serve the next token again.
template <class Lanes>
inline void make_rows(const Part& part, int64_t count, LastRow& last) {
  if (part.request.made.identity) return;
  if (part.request.given.cos) return load_rows(part, count);
  const Scratch& scratch = part.scratch;
  const bool one_row = part.schedule.tokens_per_block == 1;
  for (int64_t n = 0; n < count; ++n) {
    const Token& token = scratch.tokens[n];
    const Position* positions = scratch.positions + n * part.numbers;
    const bool scaled = token.scale != 1.0;
    if ((token.identity && !scaled) || (one_row && last.serves(token, positions, part.numbers))) continue;
    if (scaled) make_row_of<Lanes>(part, token, positions, token.scale, token.row + part.query_rows);
    if (!token.identity && (part.has_keys || !scaled)) make_row_of<Lanes>(part, token, positions, 1.0, token.row);
    if (one_row) last.keep(token, positions, part.numbers);
  }
}

// What the heads of tokens [begin, end) need: the memory of the thread, with the rows that are there already.
static inline Scratch scratch_of(const Request& request, int64_t tokens_per_block, char* memory) {
  Scratch scratch = lay_out_scratch(request, tokens_per_block, memory);
  const int64_t capacity = request.turns.capacity;
  if (request.made.floats) scratch.float_rows = rows_at(request.made.floats, capacity);
  if (request.made.doubles) scratch.double_rows = rows_at(request.made.doubles, capacity);
  if (scratch.phases.section_of)
    for (int64_t i = 0; i < capacity; ++i)
      scratch.phases.section_of[i] = request.pair_section && i < request.turns.pairs ? request.pair_section[i] : 0;
  return scratch;
}

static inline Part part_of(const Request& request, const Schedule& schedule, const Scratch& scratch, int64_t end) {
  const int64_t sections = section_count(request);
  const int64_t query_rows = request.made.identity ? request.made.query_rows : schedule.tokens_per_block;
  bool has_keys = request.operand_count == 0;
  for (int n = 0; n < request.operand_count; ++n) has_keys |= !request.operands[n].queries;
  return {request, schedule, scratch, sections, other_of(request) ? 2 * sections : sections, end, query_rows, has_keys};
}

// Rows of tokens [begin, end) of a request without operands, into `rows`, for requests to come.
template <class Lanes>
void keep_rows(const Request& request, const MadeRows& rows, int64_t begin, int64_t end, char* memory) {
  Scratch scratch = scratch_of(request, 1, memory);
  const Schedule schedule{1, false, 0, 1};
  Part part = part_of(request, schedule, scratch, end);
  part.query_rows = rows.query_rows;
  const int64_t capacity = request.turns.capacity;
  TokenIndex index(request, begin);
  for (int64_t token = begin; token < end; ++token) {
    LastRow none;
    place_tokens(part, index, token, token + 1);
    if (rows.floats) scratch.float_rows = rows_at(rows.floats + token * 2 * capacity, capacity);
    if (rows.doubles) scratch.double_rows = rows_at(rows.doubles + token * 2 * capacity, capacity);
    rows.identity[token] = scratch.tokens[0].identity;
    if (rows.scales) rows.scales[token] = scratch.tokens[0].scale;
    make_rows<Lanes>(part, 1, none);
  }
}

// Tokens [begin, end) of the request, in C order of the token axes (or of the slots).
template <class Lanes>
void rotate_tokens(const Request& request, const Schedule& schedule, int64_t begin, int64_t end, char* memory) {
  const Scratch scratch = scratch_of(request, schedule.tokens_per_block, memory);
  const Part part = part_of(request, schedule, scratch, end);
  const OperandWork<Lanes> work[] = {{part, request.operands[0]}, {part, request.operands[request.operand_count - 1]}};
  LastRow last;
  TokenIndex index(request, begin);
  for (int64_t block = begin; block < end; block += schedule.tokens_per_block) {
    const int64_t block_end = block + schedule.tokens_per_block < end ? block + schedule.tokens_per_block : end;
    const int64_t count = place_tokens(part, index, block, block_end);
    make_rows<Lanes>(part, count, last);
    for (int n = 0; n < request.operand_count; ++n) work[n].turn_block(n, scratch.tokens, count);
    carry_values<Lanes>(part, count);
  }
  if (schedule.stream_alignment) Lanes::finish_streaming();
}

}  // namespace yarncore::cpu
