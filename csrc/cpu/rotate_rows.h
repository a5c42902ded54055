// The loop of the CPU: for each token make one row of cos and sin, then turn every head of q and k by it.
// Templates over the Lanes of an instruction set; instantiated once in each unit of cpu/isa/.
#pragma once

#include <cstdint>

#include "../request.h"
#include "dispatch.h"
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
  const int64_t size = element_size(x.type);
  const char* in = heads.in;
  char* out = heads.out;
  for (int64_t head = 0; head < heads.count; ++head, in += heads.in_stride, out += heads.out_stride)
    copy_elements(size, in, x.in_element, out, x.out_element, x.head_dim);
}

// Elements that are not contiguous: gather a head, turn it, scatter it.
static inline void rotate_scattered_heads(const Operand& x, const Heads& heads, RotateHeads rotate, char* gathered,
                                          const void* cos, const void* sin, int64_t pairs) {
  const int64_t size = element_size(x.type);
  const char* in = heads.in;
  char* out = heads.out;
  for (int64_t head = 0; head < heads.count; ++head, in += heads.in_stride, out += heads.out_stride) {
    copy_elements(size, in, x.in_element, gathered, size, x.head_dim);
    rotate({gathered, gathered, 1, 0, 0, x.head_dim}, cos, sin, pairs, {nullptr});
    copy_elements(size, gathered, size, out, x.out_element, x.head_dim);
  }
}

// Fetching ahead ends where this thread's part of an operand ends. Where heads lie inside of a token: the processor
// itself follows the streams of the other layout.
static inline Prefetch prefetch_of(const Request& request, const Operand& x, int64_t end) {
  if (!request.prefetch || request.slots || request.tokens_per_block > 1) return {nullptr};
  const TokenIndex last(request, end - 1);
  const char* part_end = x.in + (x.heads - 1) * x.in_head + x.head_dim * x.in_element;
  for (int axis = 0; axis < request.token_axes; ++axis) part_end += last.at[axis] * x.in_token[axis];
  return {part_end};
}

// Tokens [begin, end) of the request, in C order of the token axes (or of the slots).
template <class Lanes>
void rotate_tokens(const Request& request, int64_t begin, int64_t end, char* memory) {
  const Scratch scratch = lay_out_scratch(request, memory);
  const TurnsTable& turns = request.turns;
  const int64_t pairs = turns.pairs, sections = request.pair_section ? section_count(request) : 1;
  if (request.pair_section) fill_section_masks(request, scratch.phases, turns.capacity);

  RotateHeads rotate[2] = {};
  Prefetch prefetch[2] = {};
  for (int n = 0; n < request.operand_count; ++n) {
    const Operand& x = request.operands[n];
    rotate[n] = choose_rotate_heads<Lanes>(x.type, request.interleaved, pairs, request.stream);
    prefetch[n] = prefetch_of(request, x, end);
  }

  Position positions[max_sections], previous[max_sections];
  int32_t previous_table_row = -1;
  TokenIndex index(request, begin);
  for (int64_t block = begin; block < end; block += request.tokens_per_block) {
    const int64_t block_end = block + request.tokens_per_block < end ? block + request.tokens_per_block : end;
    int64_t count = 0, row = -1;
    if (request.tokens_per_block == 1) {
      row = 0;  // what the token before left there may serve again
    } else {
      previous_table_row = -1;
    }
    for (int64_t token = block; token < block_end; ++token, index.advance(request)) {
      if (request.slots) {
        if (request.slots[token] < 0) continue;
        index.decode(request, request.slots[token]);
      }
      const int64_t* at = index.at;
      int32_t table_row = 0;
      if (request.row_index)
        __builtin_memcpy(&table_row, request.row_index + offset_of(request, at, token, request.row_stride), 4);
      const char* from = request.positions + offset_of(request, at, token, request.position_stride);
      bool origin = true, repeated = table_row == previous_table_row;
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
      to.identity = origin && turns.factors[table_row] == 1.0;
      if (!to.identity && !repeated) {
        if (request.tokens_per_block > 1) ++row;
        const int64_t first = row * turns.capacity;
        if (scratch.float_rows.cos)
          make_row<Lanes, DoubleToFloat>(request, scratch.float_rows.from(first), scratch.phases, table_row, positions, sections);
        if (scratch.double_rows.cos)
          make_row<Lanes, DoubleToDouble>(request, scratch.double_rows.from(first), scratch.phases, table_row, positions,
                                          sections);
        for (int64_t section = 0; section < sections; ++section) previous[section] = positions[section];
        previous_table_row = table_row;
      }
      to.row = row;
      for (int n = 0; n < request.operand_count; ++n)
        for (int axis = 0; axis < request.token_axes; ++axis) {
          to.in[n] += at[axis] * request.operands[n].in_token[axis];
          to.out[n] += at[axis] * request.operands[n].out_token[axis];
        }
    }
    for (int n = 0; n < request.operand_count; ++n) {
      const Operand& x = request.operands[n];
      const int64_t size = element_size(x.type);
      const bool contiguous = x.in_element == size && x.out_element == size;
      const auto turn = [&](const Token& token, int64_t first_head, int64_t heads) {
        const Heads work = {x.in + token.in[n] + first_head * x.in_head, x.out + token.out[n] + first_head * x.out_head,
                            heads, x.in_head, x.out_head, x.head_dim};
        const int64_t first = token.row * turns.capacity;
        const bool wide = x.type == ElementType::float64;
        const void* cos = wide ? static_cast<const void*>(scratch.double_rows.cos + first) : scratch.float_rows.cos + first;
        const void* sin = wide ? static_cast<const void*>(scratch.double_rows.sin + first) : scratch.float_rows.sin + first;
        if (token.identity)
          copy_heads(x, work);
        else if (contiguous)
          rotate[n](work, cos, sin, pairs, prefetch[n]);
        else
          rotate_scattered_heads(x, work, rotate[n], scratch.head, cos, sin, pairs);
      };
      if (request.tokens_per_block == 1) {
        for (int64_t t = 0; t < count; ++t) turn(scratch.tokens[t], 0, x.heads);
      } else {
        for (int64_t head = 0; head < x.heads; ++head)
          for (int64_t t = 0; t < count; ++t) turn(scratch.tokens[t], head, 1);
      }
    }
  }
  if (request.stream) Lanes::finish_streaming();
}

}  // namespace yarncore::cpu
