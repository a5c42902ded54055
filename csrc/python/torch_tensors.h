// torch's tensors without torch's headers: their memory by DLPack's exchange table, and the gates before it.
#pragma once

#include <Python.h>

#include "../array_view.h"

namespace yarncore::python {

// What yarncore/backends/torch.py hands over, once, when the first tensor is seen. The names stand there.
void register_torch(PyObject* types, PyObject* exchange_capsule, PyObject* functions, PyObject* forward_ad);

// Whether the object is exactly a torch Tensor or Parameter (false before register_torch).
bool is_torch_tensor(PyObject* object);

// Whether nothing watches what this thread does with tensors: no mode, no tracer, no forward-mode differentiation. Once
// a call. (Function transforms are seen on the tensors that they wrap.)
struct TorchState {
  bool plain, grad_enabled, inference_mode;
};
TorchState torch_state();

// The memory of a tensor; false where it must not be read (or written) directly. Leaves no Python error.
bool view_torch_tensor(PyObject* tensor, const TorchState& state, bool write, ArrayView& view);

// The same whatever its elements are, but complex: a conjugate view holds other values.
bool view_torch_bits(PyObject* tensor, const TorchState& state, bool write, ArrayView& view);

// The same for integer positions, with their kind.
bool view_torch_positions(PyObject* tensor, ArrayView& view, PositionKind& kind);

// The memory alone, whatever the tensor may mean by it.
bool view_torch_memory(PyObject* tensor, ArrayView& view);

// torch.empty_like: a new reference, or null with a Python error set.
PyObject* empty_tensor_like(PyObject* tensor);

// Tells autograd that the tensors of a tuple have changed; false with a Python error set.
bool bump_versions(PyObject* tensors);

}  // namespace yarncore::python
