#include "plain_call.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>

#include "../cpu/rotate.h"
#include "../fill_request.h"
#include "checked_call.h"
#include "fresh_results.h"
#include "numpy_arrays.h"
#include "plain_arrays.h"
#include "torch_tensors.h"
#include "without_gil.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

// What a call turns into what; all borrowed. k and k_out are null where there is no k.
struct Arrays {
  PyObject *in[2], *out[2];
  int count;
};

// A call while it is checked: inputs, then positions, then outputs. Every step answers false where it declines.
class Check {
 public:
  Check(const PlainRotation& rotation, const Arrays& arrays)
      : request(request_of(rotation)), rotation_(rotation), arrays_(arrays) {}

  bool inputs(PyObject* positions, PyObject* heads_axis, PyObject* query) {
    torch_ = is_torch_tensor(arrays_.in[0]);
    if (torch_ && !(state_ = torch_state()).plain) return false;
    for (int n = 0; n < arrays_.count; ++n)
      if (!view_of(arrays_.in[n], arrays_.in[n] == arrays_.out[n], in_[n])) return false;
    const bool counted = positions && (positions == Py_None || PyLong_CheckExact(positions));
    if (!heads_axis_of(heads_axis, in_[0].dimensions, counted, heads_axis_) ||
        fill_inputs(request, in_, arrays_.count, heads_axis_))
      return false;
    for (int n = 0; n < arrays_.count; ++n)
      if (rotation_.head_dim >= 0 && request.operands[n].before + request.operands[n].head_dim != rotation_.head_dim)
        return false;
    if (!queries(query)) return false;
    if (!positions)
      fill_offset(request, 0);
    else if (!place_positions(positions, torch_, rotation_, request))
      return false;
    return (!rotation_.rows.data || !fill_rows(request, rotation_.rows)) && fit_rows(request);
  }

  bool outputs() {
    Memory read[2], written[2];
    for (int n = 0; n < arrays_.count; ++n) {
      const bool in_place = arrays_.in[n] == arrays_.out[n];
      ArrayView other;
      if (!in_place && (!view_of(arrays_.out[n], true, other) || !memory_of(in_[n], read[n]))) return false;
      const ArrayView& out = in_place ? in_[n] : other;
      if (fill_output(request, n, in_[n], out, heads_axis_) || !memory_of(out, written[n])) return false;
    }
    for (int n = 0; n < arrays_.count; ++n)
      for (int other = 0; other < arrays_.count; ++other) {
        if (n < other && written[n].meets(written[other])) return false;
        if (arrays_.in[other] != arrays_.out[other] && written[n].meets(read[other])) return false;
      }
    return true;
  }

  bool torch() const { return torch_; }
  int64_t elements() const { return in_[0].elements() + (arrays_.count == 2 ? in_[1].elements() : 0); }

  Request request;

 private:
  bool queries(PyObject* query) {
    if (query != Py_None && query != Py_True && query != Py_False) return false;
    if (rotation_.query_scale.kind == QueryScale::none) return true;
    const bool told = query != Py_None;
    return (told || arrays_.count == 2) &&
           !fill_queries(request, rotation_.query_scale, query != Py_False, query == Py_True);
  }

  bool view_of(PyObject* object, bool write, ArrayView& view) const {
    return torch_ ? is_torch_tensor(object) && view_torch_tensor(object, state_, write, view)
                  : is_plain_array(object) && view_elements(py::reinterpret_borrow<py::array>(object), view);
  }

  const PlainRotation& rotation_;
  const Arrays& arrays_;
  ArrayView in_[2];
  int heads_axis_ = -1;
  bool torch_ = false;
  TorchState state_{};
};

}  // namespace

PyObject* rotate_if_plain(const PlainRotation& rotation, PyObject* q, PyObject* k, PyObject* positions,
                          PyObject* heads_axis, bool in_place, PyObject* out, PyObject* query) {
  Arrays arrays{{q, k == Py_None ? nullptr : k}, {}, k == Py_None ? 1 : 2};
  const bool fresh = !in_place && out == Py_None;
  if (in_place) {
    std::copy_n(arrays.in, 2, arrays.out);
  } else if (!fresh) {
    const bool several = PyTuple_CheckExact(out) || PyList_CheckExact(out);
    if (several != (arrays.count == 2) || (several && PySequence_Fast_GET_SIZE(out) != 2)) return nullptr;
    arrays.out[0] = several ? PySequence_Fast_GET_ITEM(out, 0) : out;
    arrays.out[1] = several ? PySequence_Fast_GET_ITEM(out, 1) : nullptr;
  }
  Check check(rotation, arrays);
  if (!check.inputs(positions, heads_axis, query)) return nullptr;
  py::object made[2];
  if (fresh)
    for (int n = 0; n < arrays.count; ++n) {
      made[n] = py::reinterpret_steal<py::object>(fresh_like(arrays.in[n]));
      if (!made[n]) return nullptr;
      arrays.out[n] = made[n].ptr();
    }
  if (!check.outputs()) return nullptr;
  // References of our own: another thread may change a list given as `out` meanwhile.
  const auto q_out = py::reinterpret_borrow<py::object>(arrays.out[0]);
  const auto k_out = py::reinterpret_borrow<py::object>(arrays.out[1]);
  if (check.elements() < long_call) {
    cpu::rotate(check.request);
  } else {
    Pinned pinned;
    for (PyObject* object : {arrays.in[0], arrays.in[1], arrays.out[0], arrays.out[1], positions})
      if (object) pinned.add(object);
    without_gil([&] { cpu::rotate(check.request); });
  }
  const bool changed = check.torch() && !fresh;
  if (arrays.count == 1 && !changed) return Py_NewRef(q_out.ptr());
  auto results = py::reinterpret_steal<py::object>(PyTuple_Pack(arrays.count, q_out.ptr(), k_out.ptr()));
  if (!results || (changed && !bump_versions(results.ptr()))) return nullptr;
  return arrays.count == 2 ? results.release().ptr() : Py_NewRef(q_out.ptr());
}

}  // namespace yarncore::python
