// What a caller must not get wrong: it ends as an exception, with the sentence in it.
#pragma once

#include <stdexcept>

namespace yarncore {

inline void require(bool condition, const char* otherwise) {
  if (!condition) throw std::invalid_argument(otherwise);
}

// Null: nothing is wrong.
inline void require(const char* wrong) {
  if (wrong) throw std::invalid_argument(wrong);
}

}  // namespace yarncore
