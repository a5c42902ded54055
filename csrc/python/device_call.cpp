#include "device_call.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <string>
#include <tuple>
#include <vector>

#include "../cuda/launch.h"
#include "../cuda/rotate.cuh"
#include "arrays.h"
#include "without_gil.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

// Address, NumPy's name of the dtype, shape, strides in bytes.
using DeviceArray = std::tuple<uintptr_t, std::string, std::vector<py::ssize_t>, std::vector<py::ssize_t>>;

// As a NumPy array that nobody reads: its checks and strides serve device memory as well.
py::array address_only(const DeviceArray& array) {
  const auto& [address, dtype, shape, strides] = array;
  return py::array(py::dtype(dtype), shape, strides, reinterpret_cast<void*>(address), py::none());
}

std::vector<py::array> address_only(const std::vector<DeviceArray>& arrays) {
  std::vector<py::array> result;
  for (const DeviceArray& array : arrays) result.push_back(address_only(array));
  return result;
}

std::optional<py::array> address_only(const std::optional<DeviceArray>& array) {
  return array ? std::optional(address_only(*array)) : std::nullopt;
}

std::vector<cuda::Launch> plan_on_device(const Turns& turns, const std::vector<DeviceArray>& inputs,
                                         const std::vector<DeviceArray>& outputs, std::vector<std::string> types,
                                         std::optional<int> heads_axis, bool interleaved, bool conjugate,
                                         const std::optional<DeviceArray>& rows,
                                         const std::optional<DeviceArray>& positions, int64_t offset,
                                         std::optional<py::array> pair_section, const std::optional<DeviceArray>& slots,
                                         uintptr_t table, uintptr_t factors, int multiprocessors) {
  const Call call{address_only(inputs),  address_only(outputs),   std::move(types),   heads_axis.has_value(),
                  heads_axis.value_or(-1), interleaved,             conjugate,          address_only(rows),
                  address_only(positions), std::move(pair_section), address_only(slots), offset, true};
  const cuda::DeviceTable on_device{reinterpret_cast<const uint32_t*>(table), reinterpret_cast<const double*>(factors)};
  return cuda::plan(make_request(turns, call), on_device, multiprocessors);
}

std::string type_name(const cuda::Launch& launch) {
  for (const ElementName& known : element_names)
    if (known.type == launch.type) return known.name;
  return {};
}

}  // namespace

void add_device_calls(py::module_& module) {
  py::class_<cuda::Launch>(module, "DeviceLaunch", "One launch of a kernel; immutable.")
      .def_property_readonly("element_type", &type_name)
      .def_property_readonly("access_bytes", [](const cuda::Launch& launch) { return launch.bytes; })
      .def_property_readonly("interleaved", [](const cuda::Launch& launch) { return launch.interleaved; })
      .def_property_readonly("blocks", [](const cuda::Launch& launch) { return launch.request.blocks; })
      .def_readonly("grid", &cuda::Launch::grid)
      .def_property_readonly("shared_bytes", [](const cuda::Launch& launch) { return launch.shared; })
      .def_property_readonly("parameter", [](const cuda::Launch& launch) {
        return py::bytes(reinterpret_cast<const char*>(&launch.request), sizeof launch.request);
      })
      .def("launch", [](const cuda::Launch& launch, int device, uintptr_t stream) {
        without_gil([&] { cuda::launch(launch, device, reinterpret_cast<void*>(stream)); });
      }, py::arg("device"), py::arg("stream"));
  module.attr("threads_per_block") = cuda::threads_per_block;
  module.attr("max_pairs_by_value") = cuda::max_pairs_by_value;
  module.def("plan_on_device", &plan_on_device, py::arg("turns"), py::arg("inputs"), py::arg("outputs"), py::arg("types"),
             py::kw_only(), py::arg("heads_axis"), py::arg("interleaved"), py::arg("conjugate"), py::arg("rows"),
             py::arg("positions"), py::arg("offset"), py::arg("pair_section"), py::arg("slots"), py::arg("table"),
             py::arg("factors"), py::arg("multiprocessors"),
             "The launches that turn arrays of a device, each given as address, dtype, shape and strides in bytes.");
  module.def("why_no_cuda", &cuda::why_unavailable, "Why no kernel of the extension can be launched; empty where one can.");
}

}  // namespace yarncore::python
