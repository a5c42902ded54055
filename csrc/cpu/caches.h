// The cache sizes that decide how memory is best read and written.
#pragma once

#include <cstdint>

namespace yarncore::cpu {

struct Caches {
  int64_t l2;           // bytes of a core's own cache
  int64_t stream_from;  // source and result together, in bytes, from where stores past the caches are faster
  bool prefetch_helps;  // fetching ahead in software: 15 % on Intel's servers, minus 15 % on AMD's
};

// Read once.
const Caches& caches();

}  // namespace yarncore::cpu
