// Which instruction sets this build holds, which of them this CPU runs, and which one is in use.
#pragma once

#include <cstdint>

#include "../request.h"

namespace yarncore::cpu {

struct KernelTable {
  const char* name;
  void (*rotate_tokens)(const Request&, int64_t begin, int64_t end, char* scratch);
};

// One exported table a unit, constant-initialised: a constructor would run that unit's instructions at load.
#if defined(__x86_64__)
extern const KernelTable avx512_kernels, avx2_kernels;
#elif defined(__aarch64__)
extern const KernelTable neon_kernels;
#endif
extern const KernelTable baseline_kernels;

}  // namespace yarncore::cpu
