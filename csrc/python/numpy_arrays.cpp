#include "numpy_arrays.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace yarncore::python {
namespace {

namespace py = pybind11;

bool is_native(const py::array& array) {
  const char order = array.dtype().byteorder();
  return order == '=' || order == '|' || order == '<';
}

// The name of a type that ml_dtypes adds to NumPy; empty for any other.
std::string_view name_in_ml_dtypes(const py::dtype& dtype) {
  constexpr int first_user_type = 256;
  constexpr std::string_view package = "ml_dtypes.";
  if (dtype.num() < first_user_type) return {};
  const auto* type = reinterpret_cast<PyTypeObject*>(py::detail::array_descriptor_proxy(dtype.ptr())->typeobj);
  const std::string_view name = type->tp_name;
  return name.substr(0, package.size()) == package ? name.substr(package.size()) : std::string_view{};
}

}  // namespace

bool is_plain_array(PyObject* object) { return Py_TYPE(object) == py::detail::npy_api::get().PyArray_Type_; }

bool view_memory(const py::array& array, ArrayView& view) {
  if (array.ndim() > max_axes) return false;
  view.data = static_cast<char*>(const_cast<void*>(array.data()));
  view.dimensions = static_cast<int>(array.ndim());
  view.itemsize = array.itemsize();
  view.writable = array.writeable();
  std::copy_n(array.shape(), view.dimensions, view.shape);
  std::copy_n(array.strides(), view.dimensions, view.strides);
  return true;
}

bool view_elements(const py::array& array, ArrayView& view) {
  const py::dtype dtype = array.dtype();
  const int number = dtype.num();
  const bool known = find_element_type([number](const ElementInfo& info) { return info.numpy == number; }, view.type);
  if (!known) {
    const std::string_view name = name_in_ml_dtypes(dtype);
    if (!find_element_type([name](const ElementInfo& info) { return info.numpy == no_number && info.name == name; },
                           view.type))
      return false;
  }
  return is_native(array) && view_memory(array, view);
}

bool view_bits(const py::array& array, ArrayView& view) {
  constexpr char holds_references = 1;  // NPY_ITEM_REFCOUNT
  return !(array.dtype().flags() & holds_references) && view_memory(array, view);
}

bool view_positions(const py::array& array, ArrayView& view) {
  const char code = array.dtype().kind();
  const int64_t size = array.itemsize();
  const auto is = [=](const PositionInfo& info) { return info.code == code && info.size == size; };
  return find_position_kind(is, view.kind) && is_native(array) && view_memory(array, view);
}

}  // namespace yarncore::python
