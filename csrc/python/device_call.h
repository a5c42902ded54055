// Requests whose arrays live on a GPU: planned here for whoever launches them.
#pragma once

#include <pybind11/pybind11.h>

namespace yarncore::python {

void add_device_calls(pybind11::module_& module);

}  // namespace yarncore::python
