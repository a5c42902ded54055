#include "checked_call.h"

#include <pybind11/stl.h>

#include "../cpu/rotate.h"
#include "../fill_request.h"
#include "../require.h"
#include "numpy_arrays.h"
#include "without_gil.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

using Words = py::array_t<uint32_t, py::array::c_style>;
using Factors = py::array_t<double, py::array::c_style>;

OwnedTurns checked_turns(const Words& words, const Factors& factors) {
  require(words.ndim() == 3 && words.shape(1) == 5, "turns have the shape (rows, 5, pairs)");
  require(factors.ndim() == 1 && factors.shape(0) == words.shape(0), "there is one factor a row");
  return {words.data(), factors.data(), words.shape(0), words.shape(2)};
}

// An array of a device: (address, code of the dtype, shape, strides).
void view_address(const py::tuple& array, ArrayView& view) {
  const py::tuple shape = array[2], strides = array[3];
  require(shape.size() <= static_cast<size_t>(max_axes) && strides.size() == shape.size(), "there are too many axes");
  view.data = reinterpret_cast<char*>(array[0].cast<uintptr_t>());
  view.dimensions = static_cast<int>(shape.size());
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    view.shape[axis] = shape[axis].cast<int64_t>();
    view.strides[axis] = strides[axis].cast<int64_t>();
  }
  const auto code = array[1].cast<std::string>();
  view.itemsize = std::stoll(code.substr(1));
  view.writable = true;
  find_position_kind([&](const PositionInfo& info) { return info.code == code[0] && info.size == view.itemsize; },
                     view.kind);
}

// The turns of a request, or rows that were made of them, or nothing but how many pairs a table has.
void fill_turns(Request& request, const py::object& turns, const py::object& tables) {
  if (py::isinstance<Rows>(turns)) {
    const auto& rows = py::cast<const Rows&>(turns);
    request.turns = rows.shape();
    request.made = rows.rows();
  } else if (!tables.is_none()) {
    const auto cos = py::cast<py::array>(py::cast<py::tuple>(tables)[0]);
    require(cos.ndim() > 0, "a table has no row of pairs");
    const int64_t pairs = cos.shape(cos.ndim() - 1);
    request.turns = {nullptr, nullptr, nullptr, 0, pairs, turns_capacity(pairs)};
  } else {
    request.turns = py::cast<const Turns&>(turns).table();
  }
}

void fill_tensors(Request& request, const std::vector<py::object>& inputs, const std::vector<py::object>& outputs,
                  const std::vector<std::string>& types, std::optional<int> heads_axis) {
  const size_t count = inputs.size();
  require((count == 1 || count == 2) && outputs.size() == count && types.size() == count,
          "one or two arrays are turned");
  require(!heads_axis || *heads_axis >= 0, "heads_axis is out of range");
  const int axis = heads_axis.value_or(-1);
  ArrayView views[2];
  for (size_t n = 0; n < count; ++n) views[n] = view_tensor(inputs[n], types[n]);
  require(fill_inputs(request, views, static_cast<int>(count), axis));
  for (size_t n = 0; n < count; ++n)
    require(fill_output(request, static_cast<int>(n), views[n], view_tensor(outputs[n], types[n]), axis));
}

const uint8_t* checked_sections(const std::optional<py::array>& pair_section, int64_t pairs) {
  if (!pair_section) return nullptr;
  require(
      pair_section->itemsize() == 1 && pair_section->size() == pairs && (pair_section->flags() & py::array::c_style),
      "pair_section has one byte a pair");
  return static_cast<const uint8_t*>(pair_section->data());
}

int64_t count_of(const std::vector<int64_t>& shape) {
  require(shape.size() <= static_cast<size_t>(max_token_axes), "there are too many axes");
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

void rotate(const Call& call) {
  require(!call.on_device(), "the arrays of a device are turned there");
  const Request& request = call.request();
  int64_t elements = 0;
  for (int n = 0; n < request.operand_count; ++n)
    elements += request.tokens() * request.operands[n].heads * request.operands[n].head_dim;
  if (elements < long_call) return cpu::rotate(request);
  without_gil([&] { cpu::rotate(request); });
}

void fill_list_of_slots(Request& request, const py::object& slots) {
  if (slots.is_none()) return;
  const ArrayView list = view_slots(slots);
  const int64_t tokens = request.tokens();
  fill_slots(request, reinterpret_cast<const int64_t*>(list.data), list.shape[0]);
  if (is_on_device(slots)) return;
  for (int64_t i = 0; i < request.slot_count; ++i)
    require(request.slots[i] >= -1 && request.slots[i] < tokens, "a slot is out of range");
}

}  // namespace

QueryScale view_query_scale(const py::handle& scale) {
  if (scale.is_none()) return {};
  const auto numbers = py::cast<py::tuple>(scale);
  require(numbers.size() == 5, "a query scale has five numbers");
  const auto kind = numbers[0].cast<int>();
  require(kind == QueryScale::log_steps || kind == QueryScale::log_n, "there is no such query scale");
  return {static_cast<QueryScale::Kind>(kind), numbers[4].cast<bool>(), numbers[1].cast<double>(),
          numbers[2].cast<int64_t>(), numbers[3].cast<int64_t>()};
}

bool is_on_device(const py::handle& array) { return py::isinstance<py::tuple>(array); }

ArrayView view_tensor(const py::handle& array) {
  ArrayView view{};
  if (is_on_device(array))
    view_address(py::reinterpret_borrow<py::tuple>(array), view);
  else
    require(view_memory(py::cast<py::array>(array), view), "there are too many axes");
  return view;
}

ArrayView view_tensor(const py::handle& array, const std::string& type) {
  ArrayView view = view_tensor(array);
  require(find_element_type([&](const ElementInfo& info) { return info.name == type; }, view.type),
          "there are elements that are not turned");
  return view;
}

ArrayView view_numbers(const py::handle& array) {
  ArrayView view{};
  if (is_on_device(array))
    view_address(py::reinterpret_borrow<py::tuple>(array), view);
  else
    require(view_positions(py::cast<py::array>(array), view), "positions of this dtype cannot be read");
  require(view.kind != PositionKind::arange, "positions of this dtype cannot be read");
  return view;
}

ArrayView view_slots(const py::handle& slots) {
  const ArrayView list = view_numbers(slots);
  require(list.kind == PositionKind::int64 && list.dimensions == 1 && (list.strides[0] == 8 || list.shape[0] < 2),
          "slots are contiguous int64");
  return list;
}

void fill_turning(Request& request, const py::object& positions, int64_t offset,
                  const std::optional<py::array>& pair_section, const py::object& rows) {
  const int64_t pairs = request.turns.pairs;
  const uint8_t* sections = checked_sections(pair_section, pairs);
  if (positions.is_none())
    fill_offset(request, offset);
  else
    require(fill_positions(request, view_numbers(positions), sections, sections ? count_sections(sections, pairs) : 1));
  if (!rows.is_none()) require(fill_rows(request, view_numbers(rows)));
}

Turns::Turns(const Words& words, const Factors& factors) : OwnedTurns(checked_turns(words, factors)) {}

Rows::Rows(const Turns& turns, const std::vector<int64_t>& shape, bool doubles, bool conjugate, const py::object& rows,
           const py::object& positions, const std::optional<py::array>& pair_section, const py::object& query_scale)
    : OwnedRows(count_of(shape), turns.table().pairs, doubles, !query_scale.is_none()) {
  Request request{};
  request.turns = turns.table();
  request.conjugate = conjugate;
  request.token_axes = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), request.extent);
  fill_turning(request, positions, 0, pair_section, rows);
  request.query_scale = view_query_scale(query_scale);
  const MadeRows made = this->rows();
  without_gil([&] { cpu::make_rows(request, made); });
}

Call::Call(const py::object& turns, std::vector<py::object> inputs, std::vector<py::object> outputs,
           const std::vector<std::string>& types, std::optional<int> heads_axis, int64_t rotary_start, bool interleaved,
           bool conjugate, py::object rows, py::object positions, int64_t offset, std::optional<py::array> pair_section,
           py::object slots, py::object tables, const std::vector<std::string>& table_types,
           const py::object& query_scale, bool both_queries)
    : inputs_(std::move(inputs)),
      outputs_(std::move(outputs)),
      turns_(turns),
      rows_(std::move(rows)),
      positions_(std::move(positions)),
      slots_(std::move(slots)),
      tables_(std::move(tables)),
      pair_section_(std::move(pair_section)) {
  fill_turns(request_, turns, tables_);
  request_.interleaved = interleaved;
  request_.conjugate = conjugate;
  request_.rotary_start = rotary_start;
  fill_tensors(request_, inputs_, outputs_, types, heads_axis);
  require(fill_queries(request_, view_query_scale(query_scale), true, both_queries));
  fill_list_of_slots(request_, slots_);
  if (tables_.is_none()) {
    fill_turning(request_, positions_, offset, pair_section_, rows_);
  } else {
    const py::tuple both = tables_;
    require(both.size() == 2 && table_types.size() == 2, "there are two tables");
    require(fill_tables(request_, view_tensor(both[0], table_types[0]), view_tensor(both[1], table_types[1])));
  }
  require(fit_rows(request_), "the rows that were made are of another type");
}

bool Call::on_device() const { return is_on_device(inputs_[0]); }

void add_checked_calls(py::module_& module) {
  py::class_<Turns>(module, "Turns", "Rows of fixed-point turns with their factors; immutable.")
      .def(py::init<const Words&, const Factors&>(), py::arg("words"), py::arg("factors"));
  py::class_<Rows>(module, "Rows", "Rows of cos and sin, made once for many calls; immutable.")
      .def(py::init<const Turns&, const std::vector<int64_t>&, bool, bool, const py::object&, const py::object&,
                    const std::optional<py::array>&, const py::object&>(),
           py::arg("turns"), py::kw_only(), py::arg("shape"), py::arg("doubles"), py::arg("conjugate"), py::arg("rows"),
           py::arg("positions"), py::arg("pair_section"), py::arg("query_scale") = py::none());
  py::class_<Call>(module, "Call", "Arrays to turn into others, which may be the same, and how; immutable.")
      .def(
          py::init<const py::object&, std::vector<py::object>, std::vector<py::object>, const std::vector<std::string>&,
                   std::optional<int>, int64_t, bool, bool, py::object, py::object, int64_t, std::optional<py::array>,
                   py::object, py::object, const std::vector<std::string>&, const py::object&, bool>(),
          py::arg("turns"), py::arg("inputs"), py::arg("outputs"), py::arg("types"), py::kw_only(),
          py::arg("heads_axis"), py::arg("rotary_start"), py::arg("interleaved"), py::arg("conjugate"), py::arg("rows"),
          py::arg("positions"), py::arg("offset"), py::arg("pair_section"), py::arg("slots"),
          py::arg("tables") = py::none(), py::arg("table_types") = std::vector<std::string>{},
          py::arg("query_scale") = py::none(), py::arg("both_queries") = false);
  module.def("rotate", &rotate, py::arg("call"), "Turn the inputs of a call on NumPy arrays into its outputs.");
}

}  // namespace yarncore::python
