// Memory for results that the caller did not give: aligned to a cache line, on huge pages where it is large.
#pragma once

#include <Python.h>

namespace yarncore::python {

// An uninitialised array with the shape, the dtype in native byte order and the order of strides of a NumPy array or
// registered torch tensor: a new reference, or null with a Python error set.
PyObject* fresh_like(PyObject* x);

}  // namespace yarncore::python
