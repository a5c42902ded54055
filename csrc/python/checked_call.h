// The call that has been checked in words, by yarncore/request: its arrays -> a Request. Shapes are checked again here,
// since a wrong one would write outside of an array.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <vector>

#include "../array_view.h"
#include "../owned_rows.h"
#include "../owned_turns.h"
#include "../request.h"

namespace yarncore::python {

// Rows of turns with their factors, copied out of NumPy: immutable, shared by every call of a Rotation.
class Turns : public OwnedTurns {
 public:
  Turns(const pybind11::array_t<uint32_t, pybind11::array::c_style>& words,
        const pybind11::array_t<double, pybind11::array::c_style>& factors);
};

// Rows made of turns at positions, in the order of the tokens that `shape` has: immutable, shared by many calls.
class Rows : public OwnedRows {
 public:
  Rows(const Turns& turns, const std::vector<int64_t>& shape, bool doubles, bool conjugate,
       const pybind11::object& rows, const pybind11::object& positions,
       const std::optional<pybind11::array>& pair_section, const pybind11::object& query_scale);
};

// Which arrays are turned into which, and how; immutable. Its arrays live as long as it does. They are NumPy's; or
// those of a device, all but `pair_section`: address, NumPy's code of the dtype ("f4"), shape and strides in bytes, and
// not read here.
class Call {
 public:
  // `types` names the elements, since NumPy has no bfloat16. `heads_axis` is counted from the front. None for `rows`:
  // there is one; for `positions`: they are counted from `offset`; for `slots`: every token is turned. In the place of
  // turns and positions: rows that were made, with an index of them; or tables, cos and sin, with the types of both.
  // `query_scale`, where there is one, multiplies the first array, with `both_queries` the second one too.
  Call(const pybind11::object& turns, std::vector<pybind11::object> inputs, std::vector<pybind11::object> outputs,
       const std::vector<std::string>& types, std::optional<int> heads_axis, int64_t rotary_start, bool interleaved,
       bool conjugate, pybind11::object rows, pybind11::object positions, int64_t offset,
       std::optional<pybind11::array> pair_section, pybind11::object slots, pybind11::object tables,
       const std::vector<std::string>& table_types, const pybind11::object& query_scale, bool both_queries);

  const Request& request() const { return request_; }
  bool on_device() const;

 private:
  std::vector<pybind11::object> inputs_, outputs_;
  pybind11::object turns_, rows_, positions_, slots_, tables_;
  std::optional<pybind11::array> pair_section_;
  Request request_{};
};

// None, or the ScaleNumbers of yarncore/query_scale.
QueryScale view_query_scale(const pybind11::handle& scale);

bool is_on_device(const pybind11::handle& array);

// A tensor, of whose dtype only the size counts; `type` names its elements.
ArrayView view_tensor(const pybind11::handle& array);
ArrayView view_tensor(const pybind11::handle& array, const std::string& type);

// Positions or rows; and a list of slots.
ArrayView view_numbers(const pybind11::handle& array);
ArrayView view_slots(const pybind11::handle& slots);

// Positions, rows and sections of a request whose tokens are known. None for `positions`: they are counted from
// `offset`.
void fill_turning(Request& request, const pybind11::object& positions, int64_t offset,
                  const std::optional<pybind11::array>& pair_section, const pybind11::object& rows);

// From this many elements on, giving up the GIL costs less than it can bring.
constexpr int64_t long_call = 16 * 1024;

// Adds Turns, Call and rotate to the extension.
void add_checked_calls(pybind11::module_& module);

}  // namespace yarncore::python
