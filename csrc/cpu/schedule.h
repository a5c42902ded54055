// How a request is carried out: on how many threads, and how memory is read and written. Decided once a call; no number
// of the result depends on it.
#pragma once

#include <cstdint>

#include "../request.h"

namespace yarncore::cpu {

struct Schedule {
  int threads;
  bool fetch_ahead;          // fetch what will be read next
  int64_t stream_alignment;  // write past the caches, to outputs aligned to so many bytes (>= 16); 0: do not
  int64_t tokens_per_block;  // 1: all heads of a token in turn; more: for each head, the tokens of a block
};

class Trial;

// The schedule of a call, or two to be tried in turn on pieces of it.
struct Decision {
  Schedule first, second;
  Trial* trial;  // null: everything by the first
  int64_t tokens_per_piece;
};

// `tokens`: those of the request, at least one.
Decision decide(const Request& request, int64_t tokens);

}  // namespace yarncore::cpu
