#include "schedule.h"

#include <algorithm>
#include <cstdlib>

#include "caches.h"
#include "threads.h"

namespace yarncore::cpu {
namespace {

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

}  // namespace

Schedule schedule_of(const Request& request, int64_t tokens) {
  const int64_t bytes = tokens * token_bytes(request);
  Schedule schedule{};
  schedule.threads = useful_threads(bytes);
  const int64_t bytes_a_thread = bytes / schedule.threads;
  schedule.fetch_ahead = caches().prefetch_helps && bytes_a_thread > caches().l2;
  schedule.stream_alignment = stream_alignment(request, bytes);
  schedule.tokens_per_block = should_block(request, bytes_a_thread) ? 32 : 1;
  return schedule;
}

}  // namespace yarncore::cpu
