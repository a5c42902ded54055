#include "paged_call.h"

#include <pybind11/stl.h>

#include "../cpu/rotate.h"
#include "../fill_paged.h"
#include "../fill_request.h"
#include "../require.h"
#include "without_gil.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

// Slots are read before anything is written: a wrong one would be an address outside of the pool.
void check_slots_within(const Pool& pool, int64_t count) {
  const int64_t tokens = pool.tokens();
  for (int64_t n = 0; n < count; ++n) require(pool.slots[n] >= -1 && pool.slots[n] < tokens, "a slot is out of range");
}

void move(const PagedCall& call) {
  require(!call.on_device(), "the arrays of a device are turned there");
  const Request& request = call.request();
  int64_t elements = request.tokens() * request.paged->values.heads * request.paged->values.head_dim;
  for (int n = 0; n < request.operand_count; ++n)
    elements += request.tokens() * request.operands[n].heads * request.operands[n].head_dim;
  if (elements < long_call) return cpu::rotate(request);
  without_gil([&] { cpu::rotate(request); });
}

}  // namespace

PagedCall::PagedCall(const Turns& turns, std::vector<Transfer> transfers, const std::vector<int64_t>& grid,
                     bool has_heads, int64_t rotary_start, bool interleaved, bool conjugate, py::object rows,
                     py::object positions, int64_t offset, std::optional<py::array> pair_section,
                     py::object source_slots, py::object target_slots, py::object other, const py::object& query_scale)
    : transfers_(std::move(transfers)),
      rows_(std::move(rows)),
      positions_(std::move(positions)),
      source_slots_(std::move(source_slots)),
      target_slots_(std::move(target_slots)),
      other_(std::move(other)),
      pair_section_(std::move(pair_section)) {
  request_.turns = turns.table();
  request_.rotary_start = rotary_start;
  request_.interleaved = interleaved;
  request_.conjugate = conjugate;
  request_.paged = &paged_;
  require(fill_grid(request_, grid.data(), static_cast<int>(grid.size())));
  fill_transfers(has_heads);
  require(fill_queries(request_, view_query_scale(query_scale), true, false));
  fill_slots(source_slots_, paged_.source);
  fill_slots(target_slots_, paged_.target);
  fill_turning(request_, positions_, offset, pair_section_, rows_);
  if (!other_.is_none()) require(fill_other(request_, paged_, other_.cast<const PagedCall&>().request()));
}

void PagedCall::fill_transfers(bool has_heads) {
  require(!transfers_.empty(), "one or two arrays are turned");
  for (const auto& [from, to, type, from_pool, to_pool] : transfers_) {
    require(!paged_.values.in, "values come last");
    if (type.empty())
      require(fill_values(request_, paged_, view_tensor(from), view_tensor(to), has_heads, from_pool, to_pool));
    else
      require(fill_operand(request_, paged_, view_tensor(from, type), view_tensor(to, type), has_heads, from_pool,
                           to_pool));
  }
  require(request_.operand_count > 0, "one or two arrays are turned");
}

void PagedCall::fill_slots(const py::object& slots, Pool& pool) {
  if (slots.is_none()) return require(pool.axes == 0, "a pool has no slots");
  const ArrayView list = view_slots(slots);
  require(fill_pool_slots(request_, pool, reinterpret_cast<const int64_t*>(list.data), list.shape[0]));
  if (!is_on_device(slots)) check_slots_within(pool, list.shape[0]);
}

bool PagedCall::on_device() const { return is_on_device(std::get<0>(transfers_[0])); }

void add_paged_calls(py::module_& module) {
  py::class_<PagedCall>(module, "PagedCall", "Arrays whose tokens go into others, in slots or not; immutable.")
      .def(py::init<const Turns&, std::vector<Transfer>, const std::vector<int64_t>&, bool, int64_t, bool, bool,
                    py::object, py::object, int64_t, std::optional<py::array>, py::object, py::object, py::object,
                    const py::object&>(),
           py::arg("turns"), py::arg("transfers"), py::kw_only(), py::arg("grid"), py::arg("has_heads"),
           py::arg("rotary_start"), py::arg("interleaved"), py::arg("conjugate"), py::arg("rows"), py::arg("positions"),
           py::arg("offset"), py::arg("pair_section"), py::arg("source_slots"), py::arg("target_slots"),
           py::arg("other"), py::arg("query_scale") = py::none(), py::keep_alive<1, 2>());
  module.def("move", &move, py::arg("call"), "Carry out a paged call on NumPy arrays.");
}

}  // namespace yarncore::python
