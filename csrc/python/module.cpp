// The bindings of yarncore._core. With arrays.*, device_call.* and short_cut.*, the only files that see pybind11.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "../cpu/instruction_sets.h"
#include "../cpu/memory_choices.h"
#include "../cpu/rotate.h"
#include "../cpu/threads.h"
#include "../jax/handler.h"
#include "../request.h"
#include "arrays.h"
#include "device_call.h"
#include "short_cut.h"
#include "without_gil.h"

namespace py = pybind11;

namespace yarncore::python {
namespace {

void rotate(const Turns& turns, std::vector<py::array> inputs, std::vector<py::array> outputs,
            std::vector<std::string> types, std::optional<int> heads_axis, bool interleaved, bool conjugate,
            std::optional<py::array> rows, std::optional<py::array> positions, int64_t offset,
            std::optional<py::array> pair_section, std::optional<py::array> slots) {
  const Call call{std::move(inputs),       std::move(outputs),     std::move(types), heads_axis.has_value(),
                  heads_axis.value_or(-1), interleaved,            conjugate,        std::move(rows),
                  std::move(positions),    std::move(pair_section), std::move(slots), offset};
  const Request request = make_request(turns, call);
  int64_t elements = 0;
  for (int n = 0; n < request.operand_count; ++n)
    elements += request.tokens() * request.operands[n].heads * request.operands[n].head_dim;
  if (elements < long_call) return cpu::rotate(request);
  without_gil([&] { cpu::rotate(request); });
}

std::vector<std::tuple<std::string, int64_t, bool, bool, double>> memory_choices() {
  std::vector<std::tuple<std::string, int64_t, bool, bool, double>> rows;
  for (const cpu::MemoryChoice& choice : cpu::memory_choices())
    rows.emplace_back(choice.question, choice.from_bytes, choice.yes, choice.decided, choice.ratio);
  return rows;
}

}  // namespace
}  // namespace yarncore::python

PYBIND11_MODULE(_core, m) {
  using namespace yarncore;
  m.doc() = "The compiled rotation of yarncore. Private: arguments are checked by yarncore.request.";
  py::class_<python::Turns>(m, "Turns", "Rows of fixed-point turns with their factors; immutable.")
      .def(py::init<const py::array_t<uint32_t, py::array::c_style>&, const py::array_t<double, py::array::c_style>&>(),
           py::arg("words"), py::arg("factors"));
  python::add_short_cut(m);
  python::add_device_calls(m);
  m.def("rotate", &python::rotate, py::arg("turns"), py::arg("inputs"), py::arg("outputs"), py::arg("types"),
        py::kw_only(), py::arg("heads_axis"), py::arg("interleaved"), py::arg("conjugate"), py::arg("rows"),
        py::arg("positions"), py::arg("offset"), py::arg("pair_section"), py::arg("slots"),
        "Turn the inputs into the outputs, which may be the same arrays.");
  m.def("jax_handler", [] { return py::capsule(reinterpret_cast<void*>(&jax::rotate_handler), "xla._CUSTOM_CALL_TARGET"); },
        "What jax.ffi.register_ffi_target takes.");
  py::list names;
  for (const ElementName& known : element_names) names.append(known.name);
  m.attr("element_types") = py::tuple(names);
  m.attr("max_axes") = max_token_axes + 2;
  m.def("set_num_threads", &cpu::set_thread_count, py::arg("count"));
  m.def("get_num_threads", &cpu::thread_count);
  m.def("instruction_sets", &cpu::instruction_sets, "Those of this build that this CPU runs, the best first.");
  m.def("instruction_set", &cpu::instruction_set, "The one in use.");
  m.def("use_instruction_set", &cpu::use_instruction_set, py::arg("name"));
  m.def("force_fetch_ahead", &cpu::force_fetch_ahead, py::arg("answer"), "True, False, or None: tried out.");
  m.def("force_stream", &cpu::force_stream, py::arg("answer"), "True, False, or None: tried out.");
  m.def("memory_choices", &python::memory_choices, "Question, from how many bytes on, yes, decided, ratio of times.");
  // Reads YARNCORE_ISA and its like now: a wrong value is an import error that says so.
  cpu::instruction_set();
  cpu::memory_choices();
}
