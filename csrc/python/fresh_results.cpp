#include "fresh_results.h"

#include <pybind11/numpy.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "torch_tensors.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

constexpr size_t line = 64, huge_page = size_t{1} << 21;

// Asks for huge pages before the first touch: fresh small pages cost more than the rotation itself. Only memory that
// is certainly a mapping of its own, which malloc's largest requests are: the heap's pages belong to others too.
void use_huge_pages(void* memory, size_t bytes) {
#if defined(MADV_HUGEPAGE)
  constexpr size_t always_mapped = size_t{32} << 20;  // the largest threshold that glibc's malloc adapts to
  if (bytes < always_mapped) return;
  const auto start = (reinterpret_cast<uintptr_t>(memory) + huge_page - 1) / huge_page * huge_page;
  const auto end = (reinterpret_cast<uintptr_t>(memory) + bytes) / huge_page * huge_page;
  if (start < end) madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);  // a wish: may be refused
#else
  (void)memory, (void)bytes;
#endif
}

// NumPy asks for huge pages itself, but aligns to 16 bytes only.
py::object fresh_array_like(const py::array& x) {
  py::dtype dtype = x.dtype();
  if (dtype.byteorder() == '>') dtype = py::dtype::from_args(dtype.attr("newbyteorder")("="));
  const auto dimensions = static_cast<size_t>(x.ndim());
  std::vector<size_t> order(dimensions);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::abs(x.strides(static_cast<py::ssize_t>(a))) > std::abs(x.strides(static_cast<py::ssize_t>(b)));
  });
  std::vector<py::ssize_t> shape(x.shape(), x.shape() + dimensions), strides(dimensions);
  py::ssize_t stride = dtype.itemsize();
  for (size_t place = dimensions; place-- > 0;) {
    strides[order[place]] = stride;
    stride *= std::max<py::ssize_t>(shape[order[place]], 1);
  }
  const py::ssize_t bytes = x.size() * dtype.itemsize();
  const py::array_t<uint8_t> memory(bytes + static_cast<py::ssize_t>(line));
  const auto address = reinterpret_cast<uintptr_t>(memory.data());
  return py::array(dtype, shape, strides, memory.data() + (line - address % line) % line, memory);
}

}  // namespace

PyObject* fresh_like(PyObject* x) {
  if (!is_torch_tensor(x)) return fresh_array_like(py::cast<py::array>(py::handle(x))).release().ptr();
  PyObject* result = empty_tensor_like(x);
  ArrayView view;
  if (result && view_torch_memory(result, view))
    use_huge_pages(view.data, static_cast<size_t>(view.elements() * view.itemsize));
  return result;
}

}  // namespace yarncore::python
