// NumPy arrays -> the plain pointers and strides of a Request.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <vector>

#include "../owned_turns.h"
#include "../request.h"

namespace yarncore::python {

// Rows of turns with their factors, copied out of NumPy: immutable, shared by every call of a Rotation.
class Turns : public OwnedTurns {
 public:
  Turns(const pybind11::array_t<uint32_t, pybind11::array::c_style>& words,
        const pybind11::array_t<double, pybind11::array::c_style>& factors);
};

// What a call brings. The arrays have been checked by yarncore/request.py; shapes are checked again here, since
// a wrong one would write outside of an array.
struct Call {
  std::vector<pybind11::array> inputs, outputs;
  std::vector<std::string> types;
  bool has_heads_axis;
  int heads_axis;  // counted from the front
  bool interleaved, conjugate;
  std::optional<pybind11::array> rows, positions, pair_section, slots;
  int64_t offset;
  bool on_device = false;  // the arrays' memory is not the host's: only their addresses are used (not of pair_section)
};

Request make_request(const Turns& turns, const Call& call);

// From this many elements on, giving up the GIL costs less than it can bring.
constexpr int64_t long_call = 16 * 1024;

// Throws for a name that is not in element_names.
ElementType element_type(const std::string& name);

// The kind of an integer or floating dtype; throws for any other.
PositionKind position_kind(const pybind11::dtype& dtype);

}  // namespace yarncore::python
