// Two ways to do the same, of which one is faster on this machine: tried in turn on pieces of the caller's own work,
// until it is known which. Both give the same results, so nothing is lost but time, and little of that.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

namespace yarncore::cpu {

// What is known so far. Written by any thread, at any time; a forked child goes on with what its parent knew.
class Trial {
 public:
  bool decided() const { return votes_.load() >= votes_needed; }
  bool second_is_better() const { return second_is_better_.load(); }
  // Median time of the second way over that of the first, as last seen where the better one won; 0 before.
  double ratio() const { return ratio_.load(); }
  // The first vote only helps until the next: what a program's first call finds in the caches is seldom typical.
  void vote(double ratio);

 private:
  static constexpr int votes_needed = 4;
  std::atomic<int> votes_{0}, for_second_{0};
  std::atomic<bool> second_is_better_{false};
  std::atomic<double> ratio_{0};
};

// One call's part in a trial, which ends with a vote.
class TrialRound {
 public:
  explicit TrialRound(Trial& trial) : trial_(trial) {}
  ~TrialRound();
  TrialRound(const TrialRound&) = delete;
  TrialRound& operator=(const TrialRound&) = delete;

  // Whether a piece of work goes the second way: every other one, until enough have been timed.
  bool second(int64_t piece) const { return enough_.load() ? better_.load() : piece % 2 != 0; }
  // From any thread of the call.
  void add(bool second, double seconds);

 private:
  static constexpr size_t fewest = 3, most = 24;  // pieces that are timed for each way
  double ratio() const;

  Trial& trial_;
  std::mutex mutex_;
  double seconds_[2][most];
  size_t count_[2] = {0, 0};
  std::atomic<bool> enough_{false}, better_{false};
};

}  // namespace yarncore::cpu
