// The loop of the CPU: for each token make one row of cos and sin, then turn every head of q and k by it.
// Templates over the Lanes of an instruction set; instantiated once in each unit of cpu/isa/.
#pragma once

#include <cstdint>

#include "../request.h"
#include "kernel_table.h"
#include "make_row.h"
#include "rotate_heads.h"
#include "scratch.h"
#include "token_positions.h"

namespace yarncore::cpu {

template <int64_t size>
static inline void copy_strided(const char* in, int64_t in_stride, char* out, int64_t out_stride, int64_t count) {
  for (int64_t i = 0; i < count; ++i, in += in_stride, out += out_stride) __builtin_memcpy(out, in, size);
}

static inline void copy_elements(int64_t size, const char* in, int64_t in_stride, char* out, int64_t out_stride,
                                 int64_t count) {
  switch (size) {
    case 8: return copy_strided<8>(in, in_stride, out, out_stride, count);
    case 4: return copy_strided<4>(in, in_stride, out, out_stride, count);
    default: return copy_strided<2>(in, in_stride, out, out_stride, count);
  }
}

// A token whose rotation is the identity is copied, bit for bit; in place nothing happens.
static inline void copy_heads(const Operand& x, const Heads& heads) {
  if (heads.in == heads.out) return;
  const char* in = heads.in;
  char* out = heads.out;
  for (int64_t n = 0; n < heads.count; ++n, in += heads.in_stride, out += heads.out_stride)
    copy_elements(element_size(x.type), in, x.in_element, out, x.out_element, x.head_dim);
}

// Elements that are not contiguous: gather a head, turn it, scatter it.
static inline void rotate_scattered(const Operand& x, const Heads& heads, RotateHeads rotate, char* gathered) {
  const int64_t size = element_size(x.type);
  Heads one = heads;
  one.in = one.out = gathered;
  one.count = 1;
  one.prefetch = {};
  const char* in = heads.in;
  char* out = heads.out;
  for (int64_t n = 0; n < heads.count; ++n, in += heads.in_stride, out += heads.out_stride) {
    copy_elements(size, in, x.in_element, gathered, size, x.head_dim);
    rotate(one);
    copy_elements(size, gathered, size, out, x.out_element, x.head_dim);
  }
}

static inline Prefetch prefetch_of(const Request& request, const Schedule& schedule, const Operand& x, int64_t end) {
  if (!schedule.fetch_ahead || request.slots) return {};
  const TokenIndex last(request, end - 1);
  const char* part_end = x.in + (x.heads - 1) * x.in_head + x.head_dim * x.in_element;
  for (int axis = 0; axis < request.token_axes; ++axis) part_end += last.at[axis] * x.in_token[axis];
  constexpr int64_t ahead = 4096;
  Prefetch prefetch{part_end, ahead, 0, 0, nullptr};
  const int64_t step = request.token_axes ? x.in_token[request.token_axes - 1] : 0, width = x.heads * x.in_head;
  if (width > 0 && step > width) {
    prefetch.ahead = ahead / width * step + ahead % width;
    prefetch.wrap_at = width - ahead % width, prefetch.wrap_by = step - width;
  }
  return prefetch;
}

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

// One operand in the hands of one thread. (A template so that no other unit shares its code.)
template <class Lanes>
struct OperandWork {
  const Operand& x;
  const Scratch& scratch;
  int64_t pairs, capacity;
  bool contiguous;
  RotateHeads rotate;
  Prefetch prefetch;

  // `count` heads of a token, from head `first` on. `n`: which operand this is.
  void turn(int n, const Token& token, int64_t first, int64_t count) const {
    Heads heads{};
    heads.in = x.in + token.in[n] + first * x.in_head;
    heads.out = x.out + token.out[n] + first * x.out_head;
    heads.count = count, heads.in_stride = x.in_head, heads.out_stride = x.out_head;
    heads.pairs = pairs, heads.head_dim = x.head_dim;
    heads.prefetch = prefetch;
    heads.prefetch.token = x.in + token.in[n];
    const int64_t row = token.row * 2 * capacity;
    if (x.type == ElementType::float64)
      heads.cos = scratch.double_rows.cos + row, heads.sin = scratch.double_rows.sin + row;
    else
      heads.cos = scratch.float_rows.cos + row, heads.sin = scratch.float_rows.sin + row;
    if (token.identity)
      copy_heads(x, heads);
    else if (contiguous)
      rotate(heads);
    else
      rotate_scattered(x, heads, rotate, scratch.head);
  }

  // A few heads at a time, all tokens of a block: so many streams the processor can follow, and so few heads share
  // the loading of a row.
  void turn_block(int n, const Token* tokens, int64_t count) const {
    constexpr int64_t together = 8;
    for (int64_t first = 0; first < x.heads; first += together)
      for (int64_t t = 0; t < count; ++t) turn(n, tokens[t], first, x.heads - first < together ? x.heads - first : together);
  }
};

// Tokens [begin, end) of the request, in C order of the token axes (or of the slots).
template <class Lanes>
void rotate_tokens(const Request& request, const Schedule& schedule, int64_t begin, int64_t end, char* memory) {
  const Scratch scratch = lay_out_scratch(request, schedule.tokens_per_block, memory);
  const TurnsTable& turns = request.turns;
  const int64_t pairs = turns.pairs, sections = request.pair_section ? section_count(request) : 1;
  for (int64_t i = 0; request.pair_section && i < turns.capacity; ++i)
    scratch.phases.section_of[i] = i < pairs ? request.pair_section[i] : 0;

  const bool one_row = schedule.tokens_per_block == 1;
  const auto work_on = [&](const Operand& x) {
    const int64_t size = element_size(x.type);
    return OperandWork<Lanes>{x, scratch, pairs, turns.capacity, x.in_element == size && x.out_element == size,
                       choose_rotate_heads<Lanes>(x.type, request.interleaved, pairs, schedule.stream_alignment),
                       prefetch_of(request, schedule, x, end)};
  };
  const OperandWork<Lanes> work[] = {work_on(request.operands[0]), work_on(request.operands[request.operand_count - 1])};

  Position positions[max_sections], previous[max_sections];
  int32_t previous_table_row = -1;
  TokenIndex index(request, begin);
  for (int64_t block = begin; block < end; block += schedule.tokens_per_block) {
    const int64_t block_end = block + schedule.tokens_per_block < end ? block + schedule.tokens_per_block : end;
    int64_t count = 0;
    for (int64_t token = block; token < block_end; ++token, index.advance(request)) {
      if (request.slots) {
        if (request.slots[token] < 0) continue;
        index.decode(request, request.slots[token]);
        if (schedule.fetch_ahead) prefetch_slot(request, token, end);
      }
      const int64_t* at = index.at;
      int32_t table_row = 0;
      if (request.row_index)
        __builtin_memcpy(&table_row, request.row_index + offset_of(request, at, token, request.row_stride), 4);
      const char* from = request.positions + offset_of(request, at, token, request.position_stride);
      bool origin = true, repeated = one_row && table_row == previous_table_row;
      for (int64_t section = 0; section < sections; ++section) {
        positions[section] = request.position_kind == PositionKind::arange
                                 ? arange_position(request.offset, request.token_axes ? at[request.token_axes - 1] : 0)
                                 : read_position(request.position_kind, from + section * request.section_stride);
        positions[section].negative ^= request.conjugate;
        origin &= positions[section].magnitude == 0;
        repeated &= same_position(positions[section], previous[section]);
      }
      Token& to = scratch.tokens[count++];
      to = {};
      to.row = one_row ? 0 : count - 1;  // a lone row may serve the next token again
      to.identity = origin && turns.factors[table_row] == 1.0;
      if (!to.identity && !repeated) {
        const int64_t first = to.row * 2 * turns.capacity;
        if (scratch.float_rows.cos)
          make_row<Lanes, DoubleToFloat>(request, scratch.float_rows.from(first), scratch.phases, table_row, positions, sections);
        if (scratch.double_rows.cos)
          make_row<Lanes, DoubleToDouble>(request, scratch.double_rows.from(first), scratch.phases, table_row, positions,
                                          sections);
        for (int64_t section = 0; section < sections; ++section) previous[section] = positions[section];
        previous_table_row = table_row;
      }
      for (int n = 0; n < request.operand_count; ++n)
        for (int axis = 0; axis < request.token_axes; ++axis) {
          to.in[n] += at[axis] * request.operands[n].in_token[axis];
          to.out[n] += at[axis] * request.operands[n].out_token[axis];
        }
    }
    for (int n = 0; n < request.operand_count; ++n) {
      if (one_row && count)
        work[n].turn(n, scratch.tokens[0], 0, request.operands[n].heads);
      else
        work[n].turn_block(n, scratch.tokens, count);
    }
  }
  if (schedule.stream_alignment) Lanes::finish_streaming();
}

}  // namespace yarncore::cpu
