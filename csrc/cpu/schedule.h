// How a request is carried out: on how many threads, and how memory is read and written. Decided once a call, by the
// sizes and strides alone; no number of the result depends on it.
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

// `tokens`: those of the request, at least one.
Schedule schedule_of(const Request& request, int64_t tokens);

}  // namespace yarncore::cpu
