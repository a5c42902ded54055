#include "dispatch.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "caches.h"
#include "float_mode.h"
#include "rotate.h"
#include "scratch.h"
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

// Bytes that are read and written in one pass over the tensors of a token, the cost of its row counted as bytes.
int64_t token_bytes(const Request& request) {
  int64_t bytes = request.turns.pairs * 16;
  for (int n = 0; n < request.operand_count; ++n) {
    const Operand& x = request.operands[n];
    bytes += x.heads * x.head_dim * static_cast<int64_t>(element_size(x.type));
  }
  return bytes;
}

// 256 KiB a thread is what a helping thread must be worth; waking one that sleeps takes tens of microseconds.
// See benchmarks/do_threads_help.py.
int useful_threads(int64_t bytes) {
  constexpr int64_t worth_a_thread = 256 * 1024, worth_waking = 4 * 1024 * 1024;
  if (bytes < 2 * worth_a_thread || (bytes < worth_waking && !helpers_awake())) return 1;
  return static_cast<int>(std::clamp<int64_t>(bytes / worth_a_thread, 1, thread_count()));
}

// Stores past the caches pay where source and result do not fit the last-level cache, and need heads of whole lines.
// Returns the alignment of the outputs, or 0: plain stores.
int64_t stream_alignment(const Request& request, int64_t bytes) {
  if (2 * bytes < caches().stream_from || request.slots) return 0;
  uint64_t addresses = 64;
  for (int n = 0; n < request.operand_count; ++n) {
    const Operand& x = request.operands[n];
    const auto size = static_cast<int64_t>(element_size(x.type));
    if (x.in == x.out || x.out_element != size || request.turns.pairs * size % 64 != 0) return 0;
    addresses |= reinterpret_cast<uintptr_t>(x.out) | static_cast<uint64_t>(x.out_head);
    for (int axis = 0; axis < request.token_axes; ++axis) addresses |= static_cast<uint64_t>(x.out_token[axis]);
  }
  const auto alignment = static_cast<int64_t>(addresses & (~addresses + 1));
  return alignment >= 16 ? alignment : 0;
}

// Where heads lie further apart than tokens, as in (batch, heads, seq, dim), and the data is not in a cache, a
// token's heads are more streams than a processor follows: then tokens are taken in blocks, a few heads at a time.
bool should_block(const Request& request, int64_t bytes_a_thread) {
  if (request.slots || request.token_axes == 0 || bytes_a_thread <= caches().l2) return false;
  for (int n = 0; n < request.operand_count; ++n) {
    const Operand& x = request.operands[n];
    if (x.heads < 2 || std::abs(x.in_head) <= std::abs(x.in_token[request.token_axes - 1])) return false;
  }
  return true;
}

// Heads [part / parts, (part + 1) / parts) of every operand.
Request part_of_heads(const Request& whole, int64_t part, int64_t parts) {
  Request request = whole;
  for (int n = 0; n < request.operand_count; ++n) {
    Operand& x = request.operands[n];
    const int64_t first = x.heads * part / parts, last = x.heads * (part + 1) / parts;
    x.in += first * x.in_head, x.out += first * x.out_head;
    x.heads = last - first;
  }
  return request;
}

// Gives `work` the memory it needs: on the stack, where that is little.
template <class Work>
void with_scratch(const Request& request, const Work& work) {
  const int64_t bytes = lay_out_scratch(request, nullptr).bytes;
  constexpr int64_t line = 64;
  alignas(line) char small[32 * 1024];
  if (bytes <= static_cast<int64_t>(sizeof small)) return work(small);
  std::vector<char> large(static_cast<size_t>(bytes + line));
  const auto start = reinterpret_cast<uintptr_t>(large.data());
  work(large.data() + (line - start % line));
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const KernelTable* table : usable_tables()) names.push_back(table->name);
  return names;
}

std::string instruction_set() { return current_table().load()->name; }

void use_instruction_set(const std::string& name) { current_table().store(table_named(name)); }

void rotate(Request& request) {
  const int64_t tokens = request.tokens();
  int64_t most_heads = 0;
  for (int n = 0; n < request.operand_count; ++n) most_heads = std::max(most_heads, request.operands[n].heads);
  if (tokens == 0 || most_heads == 0) return;
  const int64_t bytes = tokens * token_bytes(request);
  const int threads = useful_threads(bytes);
  request.prefetch = caches().prefetch_helps && bytes / threads > caches().l2;
  request.stream_alignment = stream_alignment(request, bytes);
  request.tokens_per_block = should_block(request, bytes / threads) ? 32 : 1;
  const KernelTable* table = current_table().load();
  if (threads == 1 || tokens >= 2 * threads) {
    parallel_for(tokens, threads, request.tokens_per_block, [&](int64_t begin, int64_t end) {
      const DefaultFloatMode mode;
      with_scratch(request, [&](char* memory) { table->rotate_tokens(request, begin, end, memory); });
    });
    return;
  }
  // Fewer tokens than would keep the threads busy: heads are shared out too.
  const int64_t parts = std::min<int64_t>(most_heads, 2 * threads);
  parallel_for(tokens * parts, threads, 1, [&](int64_t begin, int64_t end) {
    const DefaultFloatMode mode;
    for (int64_t unit = begin; unit < end; ++unit) {
      const Request part = part_of_heads(request, unit % parts, parts);
      with_scratch(part, [&](char* memory) { table->rotate_tokens(part, unit / parts, unit / parts + 1, memory); });
    }
  });
}

}  // namespace yarncore::cpu
