#include "memory_choices.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "caches.h"

namespace yarncore::cpu {
namespace {

constexpr int sizes = 10;  // each twice the one before, the first a core's own cache
constexpr std::array names = {"fetch ahead, in place", "fetch ahead, to an output", "fetch ahead, slots",
                              "stores past the caches"};

Trial trials[names.size()][sizes];

enum Forced : int { off, on, tried };

int forced_by(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text || !*text) return tried;
  const std::string value = text;
  if (value == "on") return on;
  if (value == "off") return off;
  throw std::invalid_argument(std::string(variable) + " is \"" + value + "\"; on or off is expected");
}

std::atomic<int>& fetch_ahead() {
  static std::atomic<int> forced{forced_by("YARNCORE_FETCH_AHEAD")};
  return forced;
}
std::atomic<int>& stream() {
  static std::atomic<int> forced{forced_by("YARNCORE_STREAM")};
  return forced;
}
std::atomic<int>& forced(Question question) { return question == Question::stream ? stream() : fetch_ahead(); }

int as_forced(std::optional<bool> answer) { return answer ? (*answer ? on : off) : tried; }

}  // namespace

Answer ask(Question question, int64_t bytes) {
  if (bytes <= own_cache()) return {false, nullptr};
  const int given = forced(question).load();
  if (given != tried) return {given == on, nullptr};
  int size = 0;
  while (size + 1 < sizes && bytes >> (size + 1) > own_cache()) ++size;
  Trial& trial = trials[static_cast<size_t>(question)][size];
  return {trial.second_is_better(), trial.decided() ? nullptr : &trial};
}

void force_fetch_ahead(std::optional<bool> answer) { fetch_ahead().store(as_forced(answer)); }
void force_stream(std::optional<bool> answer) { stream().store(as_forced(answer)); }

std::vector<MemoryChoice> memory_choices() {
  std::vector<MemoryChoice> choices;
  for (size_t question = 0; question < names.size(); ++question) {
    const int given = forced(static_cast<Question>(question)).load();
    if (given != tried) choices.push_back({names[question], own_cache(), given == on, true, 0});
    for (int size = 0; size < sizes && given == tried; ++size) {
      const Trial& trial = trials[question][size];
      if (trial.ratio() > 0)
        choices.push_back(
            {names[question], own_cache() << size, trial.second_is_better(), trial.decided(), trial.ratio()});
    }
  }
  return choices;
}

}  // namespace yarncore::cpu
