#include "trial.h"

#include <algorithm>

namespace yarncore::cpu {

void Trial::vote(double ratio) {
  const bool second = ratio < 1;
  const int before = votes_.fetch_add(1);
  if (before >= votes_needed) return;
  const int in_favour = before ? for_second_.fetch_add(second) + second : 0;
  const bool better = before ? 2 * in_favour > before : second;
  second_is_better_.store(better);
  if (better == second) ratio_.store(ratio);
}

void TrialRound::add(bool second, double seconds) {
  const std::lock_guard lock(mutex_);
  if (count_[second] < most) seconds_[second][count_[second]++] = seconds;
  if (enough_.load() || count_[0] < most || count_[1] < most) return;
  better_.store(ratio() < 1);
  enough_.store(true);
}

TrialRound::~TrialRound() {
  if (count_[0] >= fewest && count_[1] >= fewest) trial_.vote(ratio());
}

// Of medians: a piece during which the thread was interrupted says nothing.
double TrialRound::ratio() const {
  double medians[2];
  for (int way = 0; way < 2; ++way) {
    double sorted[most];
    std::copy_n(seconds_[way], count_[way], sorted);
    std::nth_element(sorted, sorted + count_[way] / 2, sorted + count_[way]);
    medians[way] = sorted[count_[way] / 2];
  }
  return medians[0] > 0 ? medians[1] / medians[0] : 1;
}

}  // namespace yarncore::cpu
