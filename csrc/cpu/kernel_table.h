// What a unit of cpu/isa/ offers: its name and its loop. The names of the tables that this platform's units define.
#pragma once

#include <cstdint>

#include "../request.h"
#include "schedule.h"

namespace yarncore::cpu {

struct KernelTable {
  const char* name;
  // Turns tokens [begin, end). `scratch` has the size that lay_out_scratch says, aligned to a cache line.
  void (*rotate_tokens)(const Request&, const Schedule&, int64_t begin, int64_t end, char* scratch);
  // Makes the rows of tokens [begin, end), of a request without operands.
  void (*keep_rows)(const Request&, const MadeRows&, int64_t begin, int64_t end, char* scratch);
};

// One exported table a unit, constant-initialised: a constructor would run that unit's instructions at load.
#if defined(__x86_64__)
extern const KernelTable avx512_kernels, avx2_kernels;
#elif defined(__aarch64__)
extern const KernelTable neon_kernels;
#endif
extern const KernelTable baseline_kernels;

}  // namespace yarncore::cpu
