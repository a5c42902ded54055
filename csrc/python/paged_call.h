// The call of append_ or move_ that has been checked in words, by yarncore/request: its arrays -> a Request.
#pragma once

#include "checked_call.h"

namespace yarncore::python {

// One array on its way: from, to, the name of its elements (empty where their bits are copied), and whether the tokens
// lie in a pool on either side.
using Transfer = std::tuple<pybind11::object, pybind11::object, std::string, bool, bool>;

// Immutable; its arrays, which are those of a Call, live as long as it does.
class PagedCall {
 public:
  // Heads, where there are any, are the axis before the last. `other`: what tokens are turned by too, of which only
  // turns, rows and positions count. `query_scale`, where there is one, multiplies the first array.
  PagedCall(const Turns& turns, std::vector<Transfer> transfers, const std::vector<int64_t>& grid, bool has_heads,
            int64_t rotary_start, bool interleaved, bool conjugate, pybind11::object rows, pybind11::object positions,
            int64_t offset, std::optional<pybind11::array> pair_section, pybind11::object source_slots,
            pybind11::object target_slots, pybind11::object other, const pybind11::object& query_scale);
  PagedCall(const PagedCall&) = delete;
  PagedCall& operator=(const PagedCall&) = delete;

  const Request& request() const { return request_; }
  bool on_device() const;

 private:
  void fill_transfers(bool has_heads);
  void fill_slots(const pybind11::object& slots, Pool& pool);

  std::vector<Transfer> transfers_;
  pybind11::object rows_, positions_, source_slots_, target_slots_, other_;
  std::optional<pybind11::array> pair_section_;
  Request request_{};
  Paged paged_{};
};

// Adds PagedCall and move to the extension.
void add_paged_calls(pybind11::module_& module);

}  // namespace yarncore::python
