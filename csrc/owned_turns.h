// Rows of turns and their factors in memory of their own, in every order the kernels want.
#pragma once

#include <algorithm>
#include <vector>

#include "request.h"

namespace yarncore {

class OwnedTurns {
 public:
  // `words`: (rows, 5, pairs). `factors`: one a row.
  OwnedTurns(const uint32_t* words, const double* factors, int64_t rows, int64_t pairs)
      : words_(words, words + rows * 5 * pairs),
        factors_(factors, factors + rows),
        rows_(rows),
        pairs_(pairs),
        capacity_(turns_capacity(pairs)) {
    lanes_.resize(static_cast<size_t>(rows * 4 * capacity_));
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t word = 0; word < 4; ++word)
        std::copy_n(words + (row * 5 + word) * pairs, pairs, lanes_.data() + (row * 4 + word) * capacity_);
  }
  TurnsTable table() const { return {words_.data(), lanes_.data(), factors_.data(), rows_, pairs_, capacity_}; }

 private:
  std::vector<uint32_t> words_;
  std::vector<uint64_t> lanes_;
  std::vector<double> factors_;
  int64_t rows_, pairs_, capacity_;
};

}  // namespace yarncore
