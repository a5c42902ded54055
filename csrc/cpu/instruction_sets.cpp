#include "instruction_sets.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace yarncore::cpu {
namespace {

const KernelTable* kernels_named(const std::string& name) {
  std::string have;
  for (const KernelTable* kernels : usable_kernels()) {
    if (name == kernels->name) return kernels;
    have += (have.empty() ? "" : ", ") + std::string(kernels->name);
  }
  throw std::invalid_argument("instruction set \"" + name + "\" cannot be used here; available: " + have);
}

// Read at load, when the module is imported: an unknown YARNCORE_ISA makes the import fail with its reason.
std::atomic<const KernelTable*>& current() {
  static std::atomic<const KernelTable*> kernels = [] {
    const char* forced = std::getenv("YARNCORE_ISA");
    return forced && *forced ? kernels_named(forced) : usable_kernels().front();
  }();
  return kernels;
}

}  // namespace

std::vector<const KernelTable*> usable_kernels() {
  std::vector<const KernelTable*> usable;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    usable.push_back(&avx512_kernels);
  if (avx2) usable.push_back(&avx2_kernels);
#elif defined(__aarch64__)
  usable.push_back(&neon_kernels);
#endif
  usable.push_back(&baseline_kernels);
  return usable;
}

const KernelTable& current_kernels() { return *current().load(); }

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const KernelTable* kernels : usable_kernels()) names.push_back(kernels->name);
  return names;
}

std::string instruction_set() { return current_kernels().name; }

void use_instruction_set(const std::string& name) { current().store(kernels_named(name)); }

}  // namespace yarncore::cpu
