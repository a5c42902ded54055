#include "append_call.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>

#include "../cpu/rotate.h"
#include "../fill_paged.h"
#include "../fill_request.h"
#include "checked_call.h"
#include "fresh_results.h"
#include "plain_arrays.h"
#include "plain_pools.h"
#include "torch_tensors.h"
#include "without_gil.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

// A call while it is checked. Every step answers false where it declines.
class Append {
 public:
  Append(const PlainRotation& rotation, const AppendArguments& arguments)
      : request(request_of(rotation)), rotation_(rotation), given_(arguments) {
    request.paged = &paged_;
  }

  bool has_q() const { return given_.q != Py_None; }
  bool has_v() const { return given_.v != Py_None; }
  bool torch() const { return views_.torch; }

  bool inputs() {
    if (rotation_.rows.data) return false;
    if (!views_.begin(given_.k) || has_v() != (given_.value_cache != Py_None)) return false;
    if (!views_.view(given_.k, false, k_) || !views_.view(given_.key_cache, true, keys_)) return false;
    if (has_q() && (!views_.view(given_.q, false, q_) || q_.dimensions != k_.dimensions)) return false;
    if (has_v() &&
        (!views_.view_values(given_.v, false, v_) || !views_.view_values(given_.value_cache, true, values_) ||
         v_.dimensions != k_.dimensions || !same_dtype(given_.v, given_.value_cache)))
      return false;
    return true;
  }

  // `out`: the array for the queries, null where there are none.
  bool outputs(PyObject* out) { return !out || views_.view(out, true, out_); }

  bool fill() {
    const bool counted = given_.positions == Py_None || PyLong_CheckExact(given_.positions);
    int axis;
    if (!heads_axis_of(given_.heads_axis, k_.dimensions, counted, axis)) return false;
    const bool has_heads = axis >= 0;
    if (has_heads && !put_heads_last({&q_, &k_, &v_, &out_, &keys_, &values_}, k_.dimensions - axis)) return false;
    if (rotation_.head_dim >= 0 && k_.shape[k_.dimensions - 1] != rotation_.head_dim) return false;
    if (has_q() && q_.shape[q_.dimensions - 1] != k_.shape[k_.dimensions - 1]) return false;
    if (fill_grid(request, k_.shape, k_.dimensions - 1 - has_heads)) return false;
    if (has_q() && fill_operand(request, paged_, q_, out_, has_heads, false, false)) return false;
    if (fill_operand(request, paged_, k_, keys_, has_heads, false, true)) return false;
    if (has_v() && fill_values(request, paged_, v_, values_, has_heads, false, true)) return false;
    if (fill_queries(request, rotation_.query_scale, has_q(), false)) return false;
    return place_slots() && place_positions(given_.positions, views_.torch, rotation_, request);
  }

  // Nothing that is written meets what else is read or written; the queries may be turned where they are.
  bool memory() const {
    Memory written[3], read[3];
    int writes = 0, reads = 0;
    const auto is_apart = [&](const ArrayView& view, Memory* list, int& count) {
      return memory_of(view, list[count++]);
    };
    if (!is_apart(keys_, written, writes) || (has_v() && !is_apart(values_, written, writes))) return false;
    if (has_q() && !is_apart(out_, written, writes)) return false;
    if (!is_apart(k_, read, reads) || (has_v() && !is_apart(v_, read, reads))) return false;
    const bool in_place = has_q() && q_.data == out_.data && same_strides(q_, out_);
    if (has_q() && !in_place && !is_apart(q_, read, reads)) return false;
    for (int n = 0; n < writes; ++n) {
      for (int m = 0; m < n; ++m)
        if (written[n].meets(written[m])) return false;
      for (int m = 0; m < reads; ++m)
        if (written[n].meets(read[m])) return false;
    }
    return true;
  }

  int64_t elements() const { return k_.elements() + (has_q() ? q_.elements() : 0) + (has_v() ? v_.elements() : 0); }

  Request request;

 private:
  static bool same_strides(const ArrayView& a, const ArrayView& b) {
    return a.dimensions == b.dimensions && std::equal(a.strides, a.strides + a.dimensions, b.strides);
  }

  bool place_slots() {
    SlotList list;
    if (!view_slot_list(given_.slots, views_.torch, list)) return false;
    const ArrayView& given = list.view;
    const bool shaped = given.dimensions == request.token_axes &&
                        std::equal(given.shape, given.shape + given.dimensions, request.extent);
    if (given.dimensions != 1 && !shaped) return false;
    return !fill_pool_slots(request, paged_.target, list.slots, list.count) &&
           are_within(list, paged_.target.tokens()) && are_different(list, paged_.target.tokens());
  }

  const PlainRotation& rotation_;
  const AppendArguments& given_;
  ArrayView q_{}, k_{}, v_{}, out_{}, keys_{}, values_{};
  Paged paged_{};
  PlainViews views_{};
};

}  // namespace

PyObject* append_if_plain(const PlainRotation& rotation, const AppendArguments& arguments) {
  Append append(rotation, arguments);
  if (!append.inputs() || (!append.has_q() && arguments.out != Py_None)) return nullptr;
  const bool fresh = append.has_q() && arguments.out == Py_None;
  py::object out;
  if (fresh)
    out = py::reinterpret_steal<py::object>(fresh_like(arguments.q));
  else if (append.has_q())
    out = py::reinterpret_borrow<py::object>(arguments.out);
  if (append.has_q() && !out) return nullptr;
  if (!append.outputs(out.ptr()) || !append.fill() || !append.memory()) return nullptr;
  if (append.elements() < long_call) {
    cpu::rotate(append.request);
  } else {
    Pinned pinned;
    for (PyObject* object : {arguments.q, arguments.k, arguments.v, out.ptr(), arguments.key_cache,
                             arguments.value_cache, arguments.positions, arguments.slots})
      pinned.add(object);
    without_gil([&] { cpu::rotate(append.request); });
  }
  if (append.torch()) {
    PyObject* const written[] = {arguments.key_cache, append.has_v() ? arguments.value_cache : arguments.key_cache,
                                 out && !fresh ? out.ptr() : arguments.key_cache};
    const auto changed = py::reinterpret_steal<py::object>(PyTuple_Pack(3, written[0], written[1], written[2]));
    if (!changed || !bump_versions(changed.ptr())) return nullptr;
  }
  return out ? out.release().ptr() : Py_NewRef(Py_True);
}

}  // namespace yarncore::python
