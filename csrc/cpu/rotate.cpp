#include "rotate.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "float_mode.h"
#include "instruction_sets.h"
#include "schedule.h"
#include "scratch.h"
#include "threads.h"
#include "trial.h"

namespace yarncore::cpu {
namespace {

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
void with_scratch(const Request& request, const Schedule& schedule, const Work& work) {
  const int64_t bytes = lay_out_scratch(request, schedule.tokens_per_block, nullptr).bytes;
  constexpr int64_t line = 64;
  alignas(line) char small[32 * 1024];
  if (bytes <= static_cast<int64_t>(sizeof small)) return work(small);
  std::vector<char> large(static_cast<size_t>(bytes + line));
  const auto start = reinterpret_cast<uintptr_t>(large.data());
  work(large.data() + (line - start % line));
}

// Tokens [begin, end) by one schedule.
void rotate_range(const KernelTable& kernels, const Request& request, const Schedule& schedule, int64_t begin,
                  int64_t end) {
  const DefaultFloatMode mode;
  with_scratch(request, schedule, [&](char* memory) { kernels.rotate_tokens(request, schedule, begin, end, memory); });
}

// The same in pieces, by two schedules in turn. A piece is the same tokens in every call: where results stay in a
// cache, each way then finds what it left there.
void try_range(const KernelTable& kernels, const Request& request, const Decision& decision, TrialRound& round,
               int64_t begin, int64_t end) {
  using Clock = std::chrono::steady_clock;
  while (begin < end) {
    const int64_t piece = begin / decision.tokens_per_piece;
    const int64_t stop = std::min(end, (piece + 1) * decision.tokens_per_piece);
    const bool second = round.second(piece), whole = stop - begin == decision.tokens_per_piece;
    const auto start = Clock::now();
    rotate_range(kernels, request, second ? decision.second : decision.first, begin, stop);
    if (whole) round.add(second, std::chrono::duration<double>(Clock::now() - start).count());
    begin = stop;
  }
}

// Tokens are shared out among the threads.
void share_tokens(const KernelTable& kernels, const Request& request, const Decision& decision, int64_t tokens) {
  const Schedule& first = decision.first;
  std::optional<TrialRound> round;
  if (decision.trial) round.emplace(*decision.trial);
  parallel_for(tokens, first.threads, first.tokens_per_block, [&](int64_t begin, int64_t end) {
    round ? try_range(kernels, request, decision, *round, begin, end)
          : rotate_range(kernels, request, first, begin, end);
  });
}

// Fewer tokens than would keep the threads busy: heads are shared out too.
void share_heads(const KernelTable& kernels, const Request& request, const Schedule& schedule, int64_t tokens,
                 int64_t most_heads) {
  const int64_t parts = std::min<int64_t>(most_heads, 2 * schedule.threads);
  parallel_for(tokens * parts, schedule.threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit)
      rotate_range(kernels, part_of_heads(request, unit % parts, parts), schedule, unit / parts, unit / parts + 1);
  });
}

}  // namespace

void rotate(const Request& request) {
  const int64_t tokens = request.tokens();
  int64_t most_heads = 0;
  for (int n = 0; n < request.operand_count; ++n) most_heads = std::max(most_heads, request.operands[n].heads);
  if (request.paged) most_heads = std::max(most_heads, request.paged->values.heads);
  if (tokens == 0 || most_heads == 0) return;
  const Decision decision = decide(request, tokens);
  const int threads = decision.first.threads;
  const KernelTable& kernels = current_kernels();
  if (threads == 1 && !decision.trial)
    rotate_range(kernels, request, decision.first, 0, tokens);
  else if (threads == 1 || request.paged || tokens >= 2 * threads)
    share_tokens(kernels, request, decision, tokens);
  else
    share_heads(kernels, request, decision.first, tokens, most_heads);
}

void make_rows(const Request& request, const MadeRows& rows) {
  const int64_t tokens = request.tokens();
  if (tokens == 0) return;
  const Decision decision = decide(request, tokens);
  const KernelTable& kernels = current_kernels();
  parallel_for(tokens, decision.first.threads, 1, [&](int64_t begin, int64_t end) {
    const DefaultFloatMode mode;
    with_scratch(request, decision.first, [&](char* memory) { kernels.keep_rows(request, rows, begin, end, memory); });
  });
}

}  // namespace yarncore::cpu
