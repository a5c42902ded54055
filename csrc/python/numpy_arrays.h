// NumPy's arrays as views.
#pragma once

#include <pybind11/numpy.h>

#include "../array_view.h"

namespace yarncore::python {

// Exactly numpy.ndarray: a subclass may mean more than its memory.
bool is_plain_array(PyObject* object);

// Shape, strides and memory; false for more axes than a request has.
bool view_memory(const pybind11::array& array, ArrayView& view);

// The same with the type of the elements; false for another one, or for a foreign byte order.
bool view_elements(const pybind11::array& array, ArrayView& view);

// The same whatever its elements are, but references to objects.
bool view_bits(const pybind11::array& array, ArrayView& view);

// The same with the kind of the positions; false for what is no number, or for a foreign byte order.
bool view_positions(const pybind11::array& array, ArrayView& view);

}  // namespace yarncore::python
