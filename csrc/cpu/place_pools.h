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

// How many tokens on a thread fetches, so that it is about 4 KiB further on.
static inline int64_t tokens_ahead(const Tokens& x) {
  constexpr int64_t bytes_ahead = 4096, most = 8;
  const int64_t bytes = x.heads * x.head_dim * x.in_element, tokens = bytes > 0 ? bytes_ahead / bytes : 1;
  return tokens < 1 ? 1 : tokens > most ? most : tokens;
}

// No processor foresees slots: while a token is turned or copied, one that comes later is fetched head by head.
static inline void look_ahead(const Request& request, int64_t token, int64_t end, Token& to) {
  const Pool& source = request.paged->source;
  if (!source.slots) return;
  for_all_tokens(request, [&](const Tokens& x, int n) {
    const int64_t later = token + tokens_ahead(x);
    if (!x.from_pool || to.absent[n] || later >= end) return;
    const PoolIndex from(source, later);
    if (!from.absent) to.ahead[n] = offset_in(source.axes, from.at, x.in_token) - to.in[n];
  });
}

// The next token's place is fetched whole, to be written.
static inline void fetch_target(const Request& request, int64_t token, int64_t end) {
  constexpr int64_t line = 64;
  const Pool& target = request.paged->target;
  if (token + 1 >= end) return;
  const PoolIndex into(target, token + 1);
  for_all_tokens(request, [&](const Tokens& x, int) {
    if (!x.to_pool || into.absent) return;
    const char* head = x.out + offset_in(target.axes, into.at, x.out_token);
    for (int64_t n = 0; n < x.heads; ++n, head += x.out_head)
      for (int64_t offset = 0; offset < x.head_dim * x.out_element; offset += line)
        __builtin_prefetch(head + offset, 1);
  });
}

}  // namespace yarncore::cpu
