// One operand in the hands of one thread: which function turns its heads, and what it is handed.
#pragma once

#include <cstdint>

#include "../request.h"
#include "element_lanes.h"
#include "place_tokens.h"
#include "rotate_heads.h"
#include "scale_beside.h"
#include "scratch.h"

namespace yarncore::cpu {

template <int64_t size>
static inline void copy_strided(const char* in, int64_t in_stride, char* out, int64_t out_stride, int64_t count) {
  for (int64_t i = 0; i < count; ++i, in += in_stride, out += out_stride) __builtin_memcpy(out, in, size);
}

static inline void copy_elements(ElementType type, const char* in, int64_t in_stride, char* out, int64_t out_stride,
                                 int64_t count) {
  with_type(type, [&](auto constant) {
    copy_strided<element_size(decltype(constant)::value)>(in, in_stride, out, out_stride, count);
  });
}

// A token whose rotation is the identity is copied, bit for bit; in place nothing happens.
static inline void copy_heads(const Operand& x, const Heads& heads) {
  if (heads.in == heads.out) return;
  const char* in = heads.in;
  char* out = heads.out;
  const int64_t size = element_size(x.type);
  const bool contiguous = x.in_element == size && x.out_element == size;
  for (int64_t n = 0; n < heads.count; ++n, in += heads.in_stride, out += heads.out_stride)
    if (contiguous)
      __builtin_memcpy(out - x.before * size, in - x.before * size,
                       static_cast<size_t>((x.before + x.head_dim) * size));
    else
      copy_elements(x.type, in - x.before * x.in_element, x.in_element, out - x.before * x.out_element, x.out_element,
                    x.before + x.head_dim);
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
  const bool in_place = in == out;
  const int64_t count = in_place ? 2 * heads.pairs : x.head_dim;
  for (int64_t n = 0; n < heads.count; ++n, in += heads.in_stride, out += heads.out_stride) {
    if (!in_place && x.before)
      copy_elements(x.type, in - x.before * x.in_element, x.in_element, out - x.before * x.out_element, x.out_element,
                    x.before);
    copy_elements(x.type, in, x.in_element, gathered, size, count);
    rotate(one);
    copy_elements(x.type, gathered, size, out, x.out_element, count);
  }
}

static inline Prefetch prefetch_of(const Part& part, const Operand& x) {
  const Request& request = part.request;
  if (!part.schedule.fetch_ahead || request.slots || x.from_pool) return {};
  const TokenIndex last(request, part.end - 1);
  const char* part_end = x.in + (x.heads - 1) * x.in_head + x.head_dim * x.in_element;
  for (int axis = 0; axis < request.token_axes; ++axis) part_end += last.at[axis] * x.in_token[axis];
  constexpr int64_t ahead = 4096;
  Prefetch prefetch{};
  prefetch.end = part_end;
  prefetch.ahead = ahead;
  const int64_t step = request.token_axes ? x.in_token[request.token_axes - 1] : 0, width = x.heads * x.in_head;
  if (width > 0 && step > width) {
    prefetch.ahead = ahead / width * step + ahead % width;
    prefetch.wrap_at = width - ahead % width, prefetch.wrap_by = step - width;
  }
  return prefetch;
}

// What is fetched where a later token lies so many bytes from the one at hand, in the same pool.
static inline Prefetch fetch_at(int64_t ahead) {
  return {reinterpret_cast<const char*>(UINTPTR_MAX), ahead, INT64_MAX, 0, nullptr};
}

// (A template so that no other unit shares its code.)
template <class Lanes>
struct OperandWork {
  const Operand& x;
  const Scratch& scratch;
  int64_t pairs, capacity, query_rows;
  bool contiguous;
  RotateHeads rotate;
  Prefetch prefetch;

  OperandWork(const Part& part, const Operand& operand)
      : x(operand),
        scratch(part.scratch),
        pairs(part.request.turns.pairs),
        capacity(part.request.turns.capacity),
        query_rows(part.query_rows),
        contiguous(x.in_element == element_size(x.type) && x.out_element == element_size(x.type)),
        rotate(choose_rotate_heads<Lanes>(x.type, part.request.interleaved, pairs, part.schedule.stream_alignment)),
        prefetch(prefetch_of(part, x)) {}

  // `count` heads of a token, from head `first` on. `n`: which operand this is.
  void turn(int n, const Token& token, int64_t first, int64_t count) const {
    if (token.absent[n]) return;
    Heads heads{};
    heads.in = x.in + token.in[n] + first * x.in_head;
    heads.out = x.out + token.out[n] + first * x.out_head;
    heads.count = count, heads.in_stride = x.in_head, heads.out_stride = x.out_head;
    heads.pairs = pairs, heads.before = x.before, heads.head_dim = x.head_dim;
    heads.prefetch = prefetch;
    if (token.ahead[n]) heads.prefetch = fetch_at(token.ahead[n]);
    heads.prefetch.token = x.in + token.in[n];
    const bool scaled = x.queries && token.scale != 1.0;
    const int64_t row = (token.row + (scaled ? query_rows : 0)) * 2 * capacity;
    if (has_double_rows(x.type))
      heads.cos = scratch.double_rows.cos + row, heads.sin = scratch.double_rows.sin + row;
    else
      heads.cos = scratch.float_rows.cos + row, heads.sin = scratch.float_rows.sin + row;
    if (token.identity && !scaled)
      copy_heads(x, heads);
    else if (contiguous)
      rotate(heads);
    else
      rotate_scattered(x, heads, rotate, scratch.head);
    if (scaled) scale_beside<Lanes>(x, heads, token.scale);
  }

  // A token alone: all heads. Else eight heads at a time over all tokens of a block: eight streams are few enough for
  // the prefetcher of a processor, and enough to pay for loading each row.
  void turn_block(int n, const Token* tokens, int64_t count) const {
    if (count == 1) return turn(n, tokens[0], 0, x.heads);
    constexpr int64_t together = 8;
    for (int64_t first = 0; first < x.heads; first += together)
      for (int64_t t = 0; t < count; ++t)
        turn(n, tokens[t], first, x.heads - first < together ? x.heads - first : together);
  }
};

}  // namespace yarncore::cpu
