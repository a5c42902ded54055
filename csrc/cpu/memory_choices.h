// How memory is best read and written on this machine. Processors differ, even of one vendor, and a virtual one does
// not say what it is: so each question is tried out where it first arises, for each size of work by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trial.h"

namespace yarncore::cpu {

enum class Question { fetch_in_place, fetch_to_output, fetch_slots, stream };

// `trial`: set while the answer is being found out.
struct Answer {
  bool yes;
  Trial* trial;
};

// Whether to fetch ahead in software where a thread works on so many bytes, or to write past the caches where source
// and result together are so many. No, without a trial, where they fit a core's own cache.
Answer ask(Question question, int64_t bytes);

// The environment may answer, YARNCORE_FETCH_AHEAD and YARNCORE_STREAM, `on` or `off`; or these. Null: try it out.
// The first call of either reads the environment and throws std::invalid_argument for anything else.
void force_fetch_ahead(std::optional<bool> answer);
void force_stream(std::optional<bool> answer);

// What was found out, or given.
struct MemoryChoice {
  std::string question;
  int64_t from_bytes;  // and below twice as many, the last of a question excepted
  bool yes;
  bool decided;  // false: still being tried
  double ratio;  // of the times with and without; 0 where it was given
};
std::vector<MemoryChoice> memory_choices();

}  // namespace yarncore::cpu
