#include "dispatch.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "float_mode.h"
#include "rotate.h"
#include "threads.h"

namespace yarncore::cpu {
namespace {

std::vector<const KernelTable*> usable_tables() {
  std::vector<const KernelTable*> tables;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    tables.push_back(&avx512_kernels);
  if (avx2) tables.push_back(&avx2_kernels);
#elif defined(__aarch64__)
  tables.push_back(&neon_kernels);
#endif
  tables.push_back(&baseline_kernels);
  return tables;
}

const KernelTable* table_named(const std::string& name) {
  for (const KernelTable* table : usable_tables())
    if (name == table->name) return table;
  std::string have;
  for (const KernelTable* table : usable_tables()) have += (have.empty() ? "" : ", ") + std::string(table->name);
  throw std::invalid_argument("instruction set \"" + name + "\" cannot be used here; available: " + have);
}

// Read at load, when the module is imported: an unknown YARNCORE_ISA makes the import fail with its reason.
std::atomic<const KernelTable*>& current_table() {
  static std::atomic<const KernelTable*> table = [] {
    const char* forced = std::getenv("YARNCORE_ISA");
    return forced && *forced ? table_named(forced) : usable_tables().front();
  }();
  return table;
}

int64_t scratch_bytes(const Request& request) {
  int64_t head = 0;
  for (int n = 0; n < request.operand_count; ++n) head = std::max(head, request.operands[n].head_dim);
  return row_capacity(request) * (9 * 8 + 2 * 4) + head * 8;
}

// Bytes that the request reads and writes, and the cost of its rows counted as bytes.
int64_t work_bytes(const Request& request) {
  int64_t token = 0;
  for (int n = 0; n < request.operand_count; ++n) {
    const Operand& x = request.operands[n];
    token += x.heads * x.head_dim * static_cast<int64_t>(element_size(x.type));
  }
  return request.tokens() * (token + request.turns.pairs * 16);
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const KernelTable* table : usable_tables()) names.push_back(table->name);
  return names;
}

std::string instruction_set() { return current_table().load()->name; }

void use_instruction_set(const std::string& name) { current_table().store(table_named(name)); }

void rotate(const Request& request) {
  const int64_t tokens = request.tokens();
  for (int n = 0; n < request.operand_count; ++n)
    if (request.operands[n].heads == 0 && request.operand_count == 1) return;
  if (tokens == 0) return;
  const KernelTable* table = current_table().load();
  const int64_t bytes = scratch_bytes(request);
  Request tuned = request;
  // 256 KiB a thread is what waking one must be worth; see benchmarks/do_threads_help.py.
  constexpr int64_t bytes_per_thread = 256 * 1024;
  const int64_t threads =
      std::clamp<int64_t>(work_bytes(request) / bytes_per_thread, 1, std::min<int64_t>(tokens, thread_count()));
  constexpr int64_t cache_of_a_core = 1024 * 1024;
  tuned.prefetch = work_bytes(request) / threads > cache_of_a_core;
  parallel_for(tokens, static_cast<int>(threads), [&](int64_t begin, int64_t end) {
    const DefaultFloatMode mode;
    alignas(64) char small[32 * 1024];
    if (bytes <= static_cast<int64_t>(sizeof small)) {
      table->rotate_tokens(tuned, begin, end, small);
    } else {
      std::vector<double> large(static_cast<size_t>(bytes / 8 + 1));
      table->rotate_tokens(tuned, begin, end, reinterpret_cast<char*>(large.data()));
    }
  });
}

}  // namespace yarncore::cpu
