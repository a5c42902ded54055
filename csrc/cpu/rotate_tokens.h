// The loop of the CPU over the tokens of a thread: for each make one row of cos and sin, then turn every head of q and
// k by it. Templates over the Lanes of an instruction set; instantiated once in each unit of cpu/isa/.
#pragma once

#include <cstdint>

#include "../request.h"
#include "carry_values.h"
#include "kernel_table.h"
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

// The row of a token.
template <class Lanes, class Coefficients, class Factor>
inline void make_row_of(const Part& part, const Token& token, const Position* positions, Row<Factor> row) {
  const Request& request = part.request;
  if (const Request* other = other_of(request))
    make_joined_row<Lanes, Coefficients>(request, *other, row, part.scratch.phases, token.table_row, token.other_row,
                                         positions, part.sections);
  else
    make_row<Lanes, Coefficients>(request, row, part.scratch.phases, token.table_row, positions, part.sections);
}

// The rows of the first `count` tokens of the scratch. A lone row stays where it is and may serve the next token again.
template <class Lanes>
inline void make_rows(const Part& part, int64_t count, LastRow& last) {
  const Scratch& scratch = part.scratch;
  const bool one_row = part.schedule.tokens_per_block == 1;
  for (int64_t n = 0; n < count; ++n) {
    const Token& token = scratch.tokens[n];
    const Position* positions = scratch.positions + n * part.numbers;
    if (token.identity || (one_row && last.serves(token, positions, part.numbers))) continue;
    const int64_t first = token.row * 2 * part.request.turns.capacity;
    if (scratch.float_rows.cos)
      make_row_of<Lanes, DoubleToFloat>(part, token, positions, scratch.float_rows.from(first));
    if (scratch.double_rows.cos)
      make_row_of<Lanes, DoubleToDouble>(part, token, positions, scratch.double_rows.from(first));
    if (one_row) last.keep(token, positions, part.numbers);
  }
}

// Tokens [begin, end) of the request, in C order of the token axes (or of the slots).
template <class Lanes>
void rotate_tokens(const Request& request, const Schedule& schedule, int64_t begin, int64_t end, char* memory) {
  const Scratch scratch = lay_out_scratch(request, schedule.tokens_per_block, memory);
  const int64_t sections = section_count(request), numbers = other_of(request) ? 2 * sections : sections;
  const Part part{request, schedule, scratch, sections, numbers, end};
  for (int64_t i = 0; request.pair_section && i < request.turns.capacity; ++i)
    scratch.phases.section_of[i] = i < request.turns.pairs ? request.pair_section[i] : 0;
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
