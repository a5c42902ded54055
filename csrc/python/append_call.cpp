#include "append_call.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <vector>

#include "../cpu/rotate.h"
#include "../fill_paged.h"
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

// Moves the axis of heads, counted from the end, next to the last.
void put_heads_last(ArrayView& view, int from_end) {
  const int axis = view.dimensions - from_end, last = view.dimensions - 1;
  std::rotate(view.shape + axis, view.shape + axis + 1, view.shape + last);
  std::rotate(view.strides + axis, view.strides + axis + 1, view.strides + last);
}

bool same_dtype(PyObject* a, PyObject* b) {
  const auto dtype_of = [](PyObject* array) {
    return py::reinterpret_steal<py::object>(PyObject_GetAttrString(array, "dtype"));
  };
  const py::object x = dtype_of(a), y = dtype_of(b);
  PyErr_Clear();
  return x && x.is(y);
}

// Whether slots are within the pool, and none is named twice.
bool are_slots(const int64_t* slots, int64_t count, int64_t tokens) {
  for (int64_t n = 0; n < count; ++n)
    if (slots[n] < -1 || slots[n] >= tokens) return false;
  constexpr int64_t few = 32;
  if (count <= few) {
    for (int64_t n = 0; n < count; ++n)
      for (int64_t m = 0; m < n && slots[n] >= 0; ++m)
        if (slots[n] == slots[m]) return false;
    return true;
  }
  std::vector<bool> seen(static_cast<size_t>(tokens));
  for (int64_t n = 0; n < count; ++n) {
    if (slots[n] < 0) continue;
    if (seen[static_cast<size_t>(slots[n])]) return false;
    seen[static_cast<size_t>(slots[n])] = true;
  }
  return true;
}

// A call while it is checked. Every step answers false where it declines.
class Append {
 public:
  Append(const PlainRotation& rotation, const AppendArguments& arguments) : rotation_(rotation), given_(arguments) {
    request.turns = rotation.turns;
    request.rotary_start = rotation.rotary_start;
    request.interleaved = rotation.interleaved;
    request.conjugate = rotation.conjugate;
    request.paged = &paged_;
  }

  bool has_q() const { return given_.q != Py_None; }
  bool has_v() const { return given_.v != Py_None; }
  bool torch() const { return torch_; }

  bool inputs() {
    torch_ = is_torch_tensor(given_.k);
    if (torch_ && !(state_ = torch_state()).plain) return false;
    if (rotation_.rows.data) return false;
    if (has_v() != (given_.value_cache != Py_None) || !view(given_.k, false, k_) ||
        !view(given_.key_cache, true, keys_))
      return false;
    if (has_q() && (!view(given_.q, false, q_) || q_.dimensions != k_.dimensions)) return false;
    if (has_v() && (!view_values(given_.v, false, v_) || !view_values(given_.value_cache, true, values_) ||
                    v_.dimensions != k_.dimensions || !same_dtype(given_.v, given_.value_cache)))
      return false;
    return true;
  }

  // `out`: the array for the queries, null where there are none.
  bool outputs(PyObject* out) { return !out || view(out, true, out_); }

  bool fill() {
    const bool counted = given_.positions == Py_None || PyLong_CheckExact(given_.positions);
    int axis;
    if (!heads_axis_of(given_.heads_axis, k_.dimensions, counted, axis)) return false;
    const bool has_heads = axis >= 0;
    if (has_heads && !put_heads_last(k_.dimensions - axis)) return false;
    if (rotation_.head_dim >= 0 && k_.shape[k_.dimensions - 1] != rotation_.head_dim) return false;
    if (has_q() && q_.shape[q_.dimensions - 1] != k_.shape[k_.dimensions - 1]) return false;
    if (fill_grid(request, k_.shape, k_.dimensions - 1 - has_heads)) return false;
    if (has_q() && fill_operand(request, paged_, q_, out_, has_heads, false, false)) return false;
    if (fill_operand(request, paged_, k_, keys_, has_heads, false, true)) return false;
    if (has_v() && fill_values(request, paged_, v_, values_, has_heads, false, true)) return false;
    return place_slots() && place_positions(given_.positions, torch_, rotation_, request);
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

  Request request{};

 private:
  bool view(PyObject* object, bool write, ArrayView& view) const {
    return torch_ ? is_torch_tensor(object) && view_torch_tensor(object, state_, write, view)
                  : is_plain_array(object) && view_elements(py::reinterpret_borrow<py::array>(object), view);
  }
  bool view_values(PyObject* object, bool write, ArrayView& view) const {
    return torch_ ? is_torch_tensor(object) && view_torch_bits(object, state_, write, view)
                  : is_plain_array(object) && view_bits(py::reinterpret_borrow<py::array>(object), view);
  }

  bool put_heads_last(int from_end) {
    for (ArrayView* one : {&q_, &k_, &v_, &out_, &keys_, &values_}) {
      if (one->dimensions == 0) continue;  // not given
      if (one->dimensions < from_end) return false;
      python::put_heads_last(*one, from_end);
    }
    return true;
  }

  static bool same_strides(const ArrayView& a, const ArrayView& b) {
    return a.dimensions == b.dimensions && std::equal(a.strides, a.strides + a.dimensions, b.strides);
  }

  // A list of int64, or one of them in the shape of the tokens.
  bool place_slots() {
    ArrayView list{};
    if (is_plain_array(given_.slots)) {
      if (!view_positions(py::reinterpret_borrow<py::array>(given_.slots), list)) return false;
    } else if (!torch_ || !is_torch_tensor(given_.slots) || !view_torch_positions(given_.slots, list, list.kind)) {
      return false;
    }
    if (list.kind != PositionKind::int64 || list.dimensions == 0) return false;
    int64_t stride = 8;
    for (int axis = list.dimensions - 1; axis >= 0; --axis) {
      if (list.shape[axis] != 1 && list.strides[axis] != stride) return false;
      stride *= list.shape[axis];
    }
    const bool shaped =
        list.dimensions == request.token_axes && std::equal(list.shape, list.shape + list.dimensions, request.extent);
    if (list.dimensions != 1 && !shaped) return false;
    const auto* slots = reinterpret_cast<const int64_t*>(list.data);
    return !fill_pool_slots(request, paged_.target, slots, list.elements()) &&
           are_slots(slots, list.elements(), paged_.target.tokens());
  }

  const PlainRotation& rotation_;
  const AppendArguments& given_;
  ArrayView q_{}, k_{}, v_{}, out_{}, keys_{}, values_{};
  Paged paged_{};
  TorchState state_{};
  bool torch_ = false;
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
