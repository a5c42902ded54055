// The bindings of yarncore._core. Only files of this folder see pybind11.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "../array_view.h"
#include "../cpu/instruction_sets.h"
#include "../cpu/memory_choices.h"
#include "../cpu/rotate.h"
#include "../cpu/threads.h"
#include "../jax/handler.h"
#include "checked_call.h"
#include "device_call.h"
#include "paged_call.h"
#include "short_cut.h"

namespace py = pybind11;

namespace yarncore::python {
namespace {

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
  python::add_checked_calls(m);
  python::add_paged_calls(m);
  python::add_short_cut(m);
  python::add_device_calls(m);
  m.def(
      "jax_handler",
      [] { return py::capsule(reinterpret_cast<void*>(&jax::rotate_handler), "xla._CUSTOM_CALL_TARGET"); },
      "What jax.ffi.register_ffi_target takes.");
  py::list names;
  for (const ElementInfo& known : element_types) names.append(known.name);
  m.attr("element_types") = py::tuple(names);
  m.attr("max_axes") = max_axes;
  m.attr("max_sections") = max_sections;
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
