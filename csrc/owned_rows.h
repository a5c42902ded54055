// Rows of cos and sin in memory of their own, for as many calls as one likes.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include "request.h"

namespace yarncore {

template <class T>
struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t line{64};
  T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), line)); }
  void deallocate(T* memory, size_t) { ::operator delete(memory, line); }
  // What is never written need not be: a row that turns nothing is not made.
  template <class U>
  void construct(U* at) {
    ::new (static_cast<void*>(at)) U;
  }
  bool operator==(const LineAllocator&) const { return true; }
  bool operator!=(const LineAllocator&) const { return false; }
};

class OwnedRows {
 public:
  // `scaled`: queries have rows of their own.
  OwnedRows(int64_t count, int64_t pairs, bool doubles, bool scaled) : pairs_(pairs), capacity_(turns_capacity(pairs)) {
    constexpr int64_t beyond = 16;  // a block may read a register beyond its row
    const auto numbers = static_cast<size_t>(count * (scaled ? 2 : 1) * 2 * capacity_ + beyond);
    identity_.resize(static_cast<size_t>(count));
    if (scaled) scales_.resize(static_cast<size_t>(count));
    doubles ? doubles_.resize(numbers) : floats_.resize(numbers);
  }
  MadeRows rows() const {
    const auto at = [](auto& numbers) { return numbers.empty() ? nullptr : numbers.data(); };
    return {at(floats_), at(doubles_), identity_.data(), at(scales_), static_cast<int64_t>(scales_.size())};
  }
  int64_t count() const { return static_cast<int64_t>(identity_.size()); }
  // A request's `turns` beside these rows.
  TurnsTable shape() const { return {nullptr, nullptr, nullptr, 0, pairs_, capacity_}; }

 private:
  // Read only, once they are made; requests have no constant ones.
  mutable std::vector<float, LineAllocator<float>> floats_;
  mutable std::vector<double, LineAllocator<double>> doubles_;
  mutable std::vector<uint8_t> identity_;
  mutable std::vector<double> scales_;
  int64_t pairs_, capacity_;
};

}  // namespace yarncore
