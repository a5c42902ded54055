#include "move_call.h"

#include <pybind11/pybind11.h>

#include <algorithm>
#include <vector>

#include "../cpu/rotate.h"
#include "../fill_paged.h"
#include "../fill_request.h"
#include "checked_call.h"
#include "plain_arrays.h"
#include "plain_pools.h"
#include "without_gil.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

// A call while it is checked. Every step answers false where it declines.
class Move {
 public:
  Move(const PlainRotation& rotation, const MoveArguments& arguments)
      : request(request_of(rotation)), rotation_(rotation), given_(arguments) {
    request.paged = &paged_;
  }

  bool has_values() const { return given_.values != Py_None; }
  bool in_one_pool() const { return given_.into == Py_None; }
  bool torch() const { return views_.torch; }
  PyObject* keys_target() const { return in_one_pool() ? given_.keys : given_.into; }
  PyObject* values_target() const { return in_one_pool() ? given_.values : given_.values_into; }

  bool arrays() {
    if (in_one_pool() ? given_.values_into != Py_None : has_values() != (given_.values_into != Py_None)) return false;
    if (!views_.begin(given_.keys) || !views_.view(given_.keys, in_one_pool(), keys_) ||
        !views_.view(keys_target(), true, into_))
      return false;
    return !has_values() ||
           (views_.view_values(given_.values, in_one_pool(), values_) &&
            views_.view_values(values_target(), true, values_into_) && values_.dimensions == keys_.dimensions &&
            values_into_.dimensions == into_.dimensions && same_dtype(given_.values, values_target()));
  }

  bool fill() {
    int axis;
    if (!heads_axis_of(given_.heads_axis, keys_.dimensions, false, axis)) return false;
    const bool has_heads = axis >= 0;
    if (has_heads && !put_heads_last({&keys_, &into_, &values_, &values_into_}, keys_.dimensions - axis)) return false;
    if (rotation_.head_dim >= 0 && keys_.shape[keys_.dimensions - 1] != rotation_.head_dim) return false;
    SlotList source, target;
    if (!view_slot_list(given_.source, torch(), source) || !view_slot_list(given_.target, torch(), target) ||
        source.view.dimensions != 1 || target.view.dimensions != 1)
      return false;
    if (fill_grid(request, &source.count, 1) || fill_operand(request, paged_, keys_, into_, has_heads, true, true) ||
        (has_values() && fill_values(request, paged_, values_, values_into_, has_heads, true, true)) ||
        fill_pool_slots(request, paged_.source, source.slots, source.count) ||
        fill_pool_slots(request, paged_.target, target.slots, target.count))
      return false;
    const int64_t tokens = paged_.target.tokens();
    return are_within(source, paged_.source.tokens()) && are_within(target, tokens) && are_different(target, tokens) &&
           (!in_one_pool() || !meet(source, target, tokens)) && place_shift();
  }

  // Nothing that is written meets another array; within one pool each token goes where none is read from.
  bool memory() const {
    Memory written[2], read[2];
    const int count = has_values() ? 2 : 1;
    const ArrayView *const targets[] = {&into_, &values_into_}, *const sources[] = {&keys_, &values_};
    for (int n = 0; n < count; ++n)
      if (!memory_of(*targets[n], written[n]) || !memory_of(*sources[n], read[n])) return false;
    if (count == 2 && written[0].meets(written[1])) return false;
    for (int n = 0; n < count && !in_one_pool(); ++n)
      for (int m = 0; m < count; ++m)
        if (written[n].meets(read[m])) return false;
    return true;
  }

  int64_t elements() const {
    const Operand& x = request.operands[0];
    return request.tokens() * (x.heads * x.head_dim + paged_.values.heads * paged_.values.head_dim);
  }

  Request request;

 private:
  // Whether a token is written to where another one is read.
  static bool meet(const SlotList& source, const SlotList& target, int64_t tokens) {
    std::vector<bool> written(static_cast<size_t>(tokens));
    for (int64_t n = 0; n < target.count; ++n)
      if (target.slots[n] >= 0 && source.slots[n] >= 0) written[static_cast<size_t>(target.slots[n])] = true;
    for (int64_t n = 0; n < source.count; ++n)
      if (source.slots[n] >= 0 && target.slots[n] >= 0 && source.slots[n] != target.slots[n] &&
          written[static_cast<size_t>(source.slots[n])])
        return true;
    return false;
  }

  // A number for all tokens, or one for each; with sections one for each of those first.
  bool place_shift() {
    if (!PyLong_CheckExact(given_.by))
      return given_.by != Py_None && place_positions(given_.by, torch(), rotation_, request);
    const long long value = PyLong_AsLongLong(given_.by);
    if (value == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
    by_ = value;
    ArrayView one{};
    one.data = reinterpret_cast<char*>(&by_);
    one.dimensions = 1, one.shape[0] = 1, one.strides[0] = 8, one.kind = PositionKind::int64;
    return !rotation_.pair_section && !fill_positions(request, one, nullptr, 1);
  }

  const PlainRotation& rotation_;
  const MoveArguments& given_;
  ArrayView keys_{}, into_{}, values_{}, values_into_{};
  int64_t by_ = 0;
  Paged paged_{};
  PlainViews views_{};
};

}  // namespace

PyObject* move_if_plain(const PlainRotation& rotation, const MoveArguments& arguments) {
  Move move(rotation, arguments);
  if (!move.arrays() || !move.fill() || !move.memory()) return nullptr;
  if (move.elements() < long_call) {
    cpu::rotate(move.request);
  } else {
    Pinned pinned;
    for (PyObject* object : {arguments.keys, arguments.source, arguments.target, arguments.by, arguments.into,
                             arguments.values, arguments.values_into})
      pinned.add(object);
    without_gil([&] { cpu::rotate(move.request); });
  }
  if (move.torch()) {
    PyObject* const values = move.has_values() ? move.values_target() : move.keys_target();
    const auto changed = py::reinterpret_steal<py::object>(PyTuple_Pack(2, move.keys_target(), values));
    if (!changed || !bump_versions(changed.ptr())) return nullptr;
  }
  return Py_NewRef(Py_True);
}

}  // namespace yarncore::python
