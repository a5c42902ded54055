// The road of plain calls from Python into the extension, the only one at decode: no Python frame, no dispatcher.
#pragma once

#include <pybind11/pybind11.h>

namespace yarncore::python {

// Adds to the extension: the type ShortCut, made from a Rotation's turns and layout, and the type Method, the
// descriptor of rotate and rotate_, which tries the ShortCut of its object before it calls the Python function.
void add_short_cut(pybind11::module_& module);

}  // namespace yarncore::python
