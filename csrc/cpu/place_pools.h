// Where a token lies that is on its way out of a pool or into one, and fetching those that come later.
// `static inline`: each unit keeps its own copy.
#pragma once

#include <cstdint>

#include "../request.h"
#include "scratch.h"

namespace yarncore::cpu {

// Calls `work` for each operand and for the values, with their place in a Token.
template <class Work>
static inline void for_all_tokens(const Request& request, const Work& work) {
  for (int n = 0; n < request.operand_count; ++n) work(request.operands[n], n);
  if (request.paged->values.in) work(request.paged->values, values_place);
}

// The index of a token along the axes of a pool.
struct PoolIndex {
  bool absent;
  int64_t at[max_token_axes];

  PoolIndex(const Pool& pool, int64_t token) : absent(false) {
    if (!pool.slots) return;
    int64_t slot = pool.slots[token];
    absent = slot < 0;
    if (absent) return;
    for (int axis = pool.axes - 1; axis > 0; --axis) {
      at[axis] = slot % pool.extent[axis];
      slot /= pool.extent[axis];
    }
    at[0] = slot;
  }
};

static inline int64_t offset_in(int axes, const int64_t* at, const int64_t* stride) {
  int64_t offset = 0;
  for (int axis = 0; axis < axes; ++axis) offset += at[axis] * stride[axis];
  return offset;
}

// Fills in where a token lies; false where it goes nowhere. `at`: its index along the axes of the request.
static inline bool place_in_pools(const Request& request, const int64_t* at, int64_t token, Token& to) {
  const Pool &source = request.paged->source, &target = request.paged->target;
  const PoolIndex from(source, token), into(target, token);
  bool goes = false;
  for_all_tokens(request, [&](const Tokens& x, int n) {
    to.absent[n] = (x.from_pool && from.absent) || (x.to_pool && into.absent);
    if (to.absent[n]) return;
    to.in[n] =
        x.from_pool ? offset_in(source.axes, from.at, x.in_token) : offset_in(request.token_axes, at, x.in_token);
    to.out[n] =
        x.to_pool ? offset_in(target.axes, into.at, x.out_token) : offset_in(request.token_axes, at, x.out_token);
    goes = true;
  });
  return goes;
}

static inline void prefetch_heads(const char* token, int64_t heads, int64_t stride, int64_t bytes, bool to_write) {
  constexpr int64_t line = 64;
  for (int64_t head = 0; head < heads; ++head, token += stride)
    for (int64_t offset = 0; offset < bytes; offset += line)
      to_write ? __builtin_prefetch(token + offset, 1) : __builtin_prefetch(token + offset, 0);
}

// No processor foresees slots: a token some way on is fetched whole, and where it goes to unless it is streamed there.
static inline void prefetch_in_pools(const Request& request, int64_t token, int64_t end, bool streamed) {
  constexpr int64_t ahead = 2;
  if (token + ahead >= end) return;
  const Pool &source = request.paged->source, &target = request.paged->target;
  const PoolIndex from(source, token + ahead), into(target, token + ahead);
  for_all_tokens(request, [&](const Tokens& x, int) {
    if (x.from_pool && !from.absent)
      prefetch_heads(x.in + offset_in(source.axes, from.at, x.in_token), x.heads, x.in_head, x.head_dim * x.in_element,
                     false);
    if (x.to_pool && !into.absent && !streamed)
      prefetch_heads(x.out + offset_in(target.axes, into.at, x.out_token), x.heads, x.out_head,
                     x.head_dim * x.out_element, true);
  });
}

}  // namespace yarncore::cpu
