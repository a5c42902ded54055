// The short cut for plain calls: NumPy arrays whose checks are cheap are rotated at once. Whatever is unusual is
// declined without a word and with nothing written; the caller then goes through yarncore/request.py, which explains
// or finds another way. So rules and sentences stand there once, and one token costs little.
#pragma once

#include "arrays.h"

namespace yarncore::python {

class ShortCut {
 public:
  // head_dim < 0: any that holds what turns.
  ShortCut(const Turns& turns, int64_t head_dim, bool interleaved, bool conjugate);

  // Turns q and k (or q alone, k None) into q_out and k_out, which may be the same arrays. `type` names the elements
  // where the dtype does not (16-bit elements as uint16), else it is None. True where it was done.
  bool rotate(pybind11::handle q, pybind11::handle k, pybind11::handle q_out, pybind11::handle k_out,
              pybind11::handle positions, pybind11::handle heads_axis, pybind11::handle type) const;

 private:
  Turns turns_;
  int64_t head_dim_;
  bool interleaved_, conjugate_;
};

}  // namespace yarncore::python
