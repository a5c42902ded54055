#include "schedule.h"

#include <algorithm>
#include <cstdlib>

#include "caches.h"
#include "memory_choices.h"
#include "threads.h"

namespace yarncore::cpu {
namespace {

// Bytes that are read and written in one pass over the tensors of a token, the cost of its row counted as bytes.
int64_t token_bytes(const Request& request) {
  int64_t bytes = request.turns.pairs * 16;
  for (int n = 0; n < request.operand_count; ++n) {
    const Operand& x = request.operands[n];
    const int64_t elements = x.head_dim + (x.in == x.out ? 0 : x.before);
    bytes += x.heads * elements * static_cast<int64_t>(element_size(x.type));
  }
  if (request.paged) bytes += request.paged->values.heads * request.paged->values.head_dim * request.paged->value_size;
  return bytes;
}

// 256 KiB a thread is what a helping thread must be worth; waking one that sleeps takes tens of microseconds.
// See benchmarks/do_threads_help.py.
int useful_threads(int64_t bytes) {
  constexpr int64_t worth_a_thread = 256 * 1024, worth_waking = 4 * 1024 * 1024;
  if (bytes < 2 * worth_a_thread || (bytes < worth_waking && !helpers_awake())) return 1;
  return static_cast<int>(std::clamp<int64_t>(bytes / worth_a_thread, 1, thread_count()));
}

bool in_place(const Request& request) {
  for (int n = 0; n < request.operand_count; ++n)
    if (request.operands[n].in != request.operands[n].out) return false;
  return true;
}

// Stores past the caches need heads of whole lines. Returns the alignment of the outputs, or 0: plain stores.
int64_t stream_alignment(const Request& request) {
  if (request.slots) return 0;
  uint64_t addresses = 64;
  for (int n = 0; n < request.operand_count; ++n) {
    const Operand& x = request.operands[n];
    const auto size = static_cast<int64_t>(element_size(x.type));
    const bool stays = x.in == x.out && !x.to_pool;
    if (stays || x.out_element != size || request.turns.pairs * size % 64 != 0) return 0;
    addresses |= reinterpret_cast<uintptr_t>(x.out) | static_cast<uint64_t>(x.out_head);
    const int axes = x.to_pool ? request.paged->target.axes : request.token_axes;
    for (int axis = 0; axis < axes; ++axis) addresses |= static_cast<uint64_t>(x.out_token[axis]);
  }
  const auto alignment = static_cast<int64_t>(addresses & (~addresses + 1));
  return alignment >= 16 ? alignment : 0;
}

// Where heads lie further apart than tokens, as in (batch, heads, seq, dim), and the data is not in a cache, a
// token's heads are more streams than a processor follows: then tokens are taken in blocks, a few heads at a time.
bool should_block(const Request& request, int64_t bytes_a_thread) {
  if (request.slots || request.paged || request.token_axes == 0 || bytes_a_thread <= own_cache()) return false;
  for (int n = 0; n < request.operand_count; ++n) {
    const Operand& x = request.operands[n];
    if (x.heads < 2 || std::abs(x.in_head) <= std::abs(x.in_token[request.token_axes - 1])) return false;
  }
  return true;
}

}  // namespace

Decision decide(const Request& request, int64_t tokens) {
  constexpr int64_t bytes_per_piece = 64 * 1024;
  const int64_t bytes = tokens * token_bytes(request);
  Decision decision{};
  Schedule& first = decision.first;
  first.threads = useful_threads(bytes);
  first.tokens_per_block = 1;
  const int64_t bytes_a_thread = bytes / first.threads;
  if (std::max(bytes_a_thread, 2 * bytes) <= own_cache()) return decision;
  if (should_block(request, bytes_a_thread)) first.tokens_per_block = 32;
  // One question after the other: what is written past the caches is seldom worth fetching.
  const int64_t alignment = stream_alignment(request);
  const Answer stream = alignment ? ask(Question::stream, 2 * bytes) : Answer{};
  if (stream.yes) first.stream_alignment = alignment;
  decision.second = first;
  if (stream.trial) {
    decision.trial = stream.trial;
    first.stream_alignment = 0, decision.second.stream_alignment = alignment;
  } else if (first.tokens_per_block == 1) {  // in blocks there are few streams, which processors follow
    const Answer fetch = ask(request.slots || request.paged ? Question::fetch_slots
                             : in_place(request)            ? Question::fetch_in_place
                                                            : Question::fetch_to_output,
                             bytes_a_thread);
    first.fetch_ahead = fetch.yes;
    if (fetch.trial) decision.trial = fetch.trial, first.fetch_ahead = false, decision.second.fetch_ahead = true;
  }
  const int64_t pieces = bytes / bytes_per_piece + 1, block = first.tokens_per_block;
  decision.tokens_per_piece = ((tokens + pieces - 1) / pieces + block - 1) / block * block;
  return decision;
}

}  // namespace yarncore::cpu
