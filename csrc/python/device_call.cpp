#include "device_call.h"

#include <pybind11/stl.h>

#include <vector>

#include "../cuda/launch.h"
#include "../cuda/rotate.cuh"
#include "checked_call.h"
#include "paged_call.h"
#include "without_gil.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

std::vector<cuda::Launch> plan_on_device(const Call& call, uintptr_t table, uintptr_t factors, int multiprocessors) {
  const cuda::DeviceTable on_device{reinterpret_cast<const uint32_t*>(table), reinterpret_cast<const double*>(factors)};
  return cuda::plan(call.request(), on_device, multiprocessors);
}

std::vector<cuda::Launch> plan_move_on_device(const PagedCall& call, std::pair<uintptr_t, uintptr_t> table,
                                              std::pair<uintptr_t, uintptr_t> other, int multiprocessors) {
  const auto on_device = [](const std::pair<uintptr_t, uintptr_t>& addresses) {
    return cuda::DeviceTable{reinterpret_cast<const uint32_t*>(addresses.first),
                             reinterpret_cast<const double*>(addresses.second)};
  };
  return cuda::plan_paged(call.request(), on_device(table), on_device(other), multiprocessors);
}

const char* type_name(const cuda::Launch& launch) { return info_of(launch.type).name; }

}  // namespace

void add_device_calls(py::module_& module) {
  py::class_<cuda::Launch>(module, "DeviceLaunch", "One launch of a kernel; immutable.")
      .def_property_readonly("element_type", &type_name)
      .def_property_readonly("access_bytes", [](const cuda::Launch& launch) { return launch.bytes; })
      .def_property_readonly("interleaved", [](const cuda::Launch& launch) { return launch.interleaved; })
      .def_property_readonly("paged", [](const cuda::Launch& launch) { return launch.paged; })
      .def_property_readonly("blocks", [](const cuda::Launch& launch) { return launch.request.blocks; })
      .def_readonly("grid", &cuda::Launch::grid)
      .def_property_readonly("shared_bytes", [](const cuda::Launch& launch) { return launch.shared; })
      .def_property_readonly("parameter",
                             [](const cuda::Launch& launch) {
                               const cuda::KernelRequest& first = launch.request;
                               return py::bytes(reinterpret_cast<const char*>(&first),
                                                launch.paged ? sizeof launch.request : sizeof first);
                             })
      .def(
          "launch",
          [](const cuda::Launch& launch, int device, uintptr_t stream) {
            without_gil([&] { cuda::launch(launch, device, reinterpret_cast<void*>(stream)); });
          },
          py::arg("device"), py::arg("stream"));
  py::list names;
  for (const ElementInfo& known : element_types)
    if (cuda::has_kernel(static_cast<ElementType>(&known - element_types))) names.append(known.name);
  module.attr("kernel_types") = py::tuple(names);
  module.attr("threads_per_block") = cuda::threads_per_block;
  module.attr("max_pairs_by_value") = cuda::max_pairs_by_value;
  module.def("plan_on_device", &plan_on_device, py::arg("call"), py::kw_only(), py::arg("table"), py::arg("factors"),
             py::arg("multiprocessors"), "The launches that carry out a call on arrays of a device.");
  module.def("plan_move_on_device", &plan_move_on_device, py::arg("call"), py::kw_only(), py::arg("table"),
             py::arg("other"), py::arg("multiprocessors"), "The same for a paged call.");
  module.def("why_no_cuda", &cuda::why_unavailable,
             "Why no kernel of the extension can be launched; empty where one can.");
}

}  // namespace yarncore::python
