#include "torch_tensors.h"

#include <stdexcept>

#include "dlpack_exchange.h"

namespace yarncore::python {
namespace {

// Borrowed for ever: the references are never given back, since torch is never unloaded.
struct Torch {
  PyTypeObject *tensor = nullptr, *parameter = nullptr;
  const dlpack::ExchangeTable* table = nullptr;
  // Functions without arguments.
  PyObject *dispatch_modes, *function_modes, *grad_enabled, *inference_mode;
  PyObject* is_tracing;                            // TorchScript's tracer; bound by pybind11
  PyObject* function_mode_watches;                 // a function of Python's, asked where there are any
  PyObject *requires_grad, *version, *is_negated;  // descriptors of Tensor
  PyObject *increment_version, *empty_like;        // functions of a tuple and of a tensor
  PyObject *forward_ad, *forward_level_name;       // a module's dictionary and the name in it
};
Torch torch;

// Truth of a call; an error counts as true, which declines.
bool is_true(PyObject* result) {
  if (!result) {
    PyErr_Clear();
    return true;
  }
  const bool truth = result != Py_False && result != Py_None && PyObject_IsTrue(result) != 0;
  Py_DECREF(result);
  return truth;
}

// C functions without arguments, called by their pointers: half the time of a call through the interpreter.
bool holds(PyObject* function) {
  return is_true(PyCFunction_GET_FUNCTION(function)(PyCFunction_GET_SELF(function), nullptr));
}
bool holds(PyObject* method, PyObject* tensor) {
  return is_true(reinterpret_cast<PyMethodDescrObject*>(method)->d_method->ml_meth(tensor, nullptr));
}
PyObject* get(PyObject* descriptor, PyObject* tensor) {
  const PyGetSetDef* definition = reinterpret_cast<PyGetSetDescrObject*>(descriptor)->d_getset;
  return definition->get(tensor, definition->closure);
}

// A function without arguments that pybind11 bound, for which it takes one of two conventions.
bool holds_bound(PyObject* function) {
  using WithVector = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
  if (PyCFunction_GET_FLAGS(function) != (METH_FASTCALL | METH_KEYWORDS)) return is_true(PyObject_CallNoArgs(function));
  const auto pointer = reinterpret_cast<WithVector>(reinterpret_cast<void (*)()>(PyCFunction_GET_FUNCTION(function)));
  return is_true(pointer(PyCFunction_GET_SELF(function), nullptr, 0, nullptr));
}

// Whether a mode or a tracer would want to see what this thread does with tensors.
bool is_watched() {
  return holds(torch.dispatch_modes) || holds_bound(torch.is_tracing) ||
         (holds(torch.function_modes) && is_true(PyObject_CallNoArgs(torch.function_mode_watches)));
}

// Inference tensors have no version.
bool has_version(PyObject* tensor) {
  PyObject* version = get(torch.version, tensor);
  if (!version) PyErr_Clear();
  Py_XDECREF(version);
  return version != nullptr;
}

// Whether the storage behind a tensor was resized to nothing, which leaves a null pointer plus the tensor's offset.
// Asked only of addresses so low that they may be that: an honest one is seldom below 4 GiB.
bool is_emptied(PyObject* object, const void* data) {
  if (reinterpret_cast<uintptr_t>(data) >> 32) return false;
  PyObject* storage = PyObject_CallMethod(object, "untyped_storage", nullptr);
  PyObject* bytes = storage ? PyObject_CallMethod(storage, "nbytes", nullptr) : nullptr;
  Py_XDECREF(storage);
  const bool emptied = !bytes || PyObject_IsTrue(bytes) != 1;
  Py_XDECREF(bytes);
  PyErr_Clear();
  return emptied;
}

bool view_memory(PyObject* object, dlpack::Tensor& tensor, ArrayView& view) {
  if (!torch.table || torch.table->tensor_from_object(object, &tensor) != 0) {
    PyErr_Clear();
    return false;
  }
  // Fake and functional tensors have none; those that a transform wraps are refused by the table.
  if (tensor.device.type != dlpack::cpu_device || !tensor.data || tensor.ndim < 1 || tensor.ndim > max_axes ||
      !tensor.strides || tensor.dtype.lanes != 1 || is_emptied(object, tensor.data))
    return false;
  view.data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  view.dimensions = tensor.ndim;
  view.itemsize = tensor.dtype.bits / 8;
  for (int axis = 0; axis < tensor.ndim; ++axis) {
    view.shape[axis] = tensor.shape[axis];
    view.strides[axis] = tensor.strides[axis] * view.itemsize;
  }
  return true;
}

// A negated view's memory holds other values; a gradient would be lost; an inference tensor may be written in inference
// mode only.
bool may_be_touched(PyObject* object, const TorchState& state, bool write, ArrayView& view) {
  view.writable = true;
  return !(state.grad_enabled && is_true(get(torch.requires_grad, object))) && !holds(torch.is_negated, object) &&
         !(write && !state.inference_mode && !has_version(object));
}

}  // namespace

void register_torch(PyObject* types, PyObject* capsule, PyObject* functions, PyObject* forward_ad) {
  Torch known;
  known.table = static_cast<const dlpack::ExchangeTable*>(PyCapsule_GetPointer(capsule, "dlpack_exchange_api"));
  if (!known.table || !PyArg_ParseTuple(types, "OO", &known.tensor, &known.parameter) ||
      !PyArg_ParseTuple(functions, "OOOOOOOOOOO", &known.dispatch_modes, &known.function_modes, &known.grad_enabled,
                        &known.inference_mode, &known.is_tracing, &known.function_mode_watches, &known.requires_grad,
                        &known.version, &known.is_negated, &known.increment_version, &known.empty_like)) {
    PyErr_Clear();
    throw std::invalid_argument("the exchange table or the functions of torch are not as expected");
  }
  if (known.table->header.version.major != dlpack::major_version || !known.table->tensor_from_object)
    throw std::invalid_argument("the exchange table of torch has another version");
  for (PyObject* descriptor : {known.requires_grad, known.version})
    if (Py_TYPE(descriptor) != &PyGetSetDescr_Type) throw std::invalid_argument("an attribute of Tensor is no getter");
  for (PyObject* function : {known.dispatch_modes, known.function_modes, known.grad_enabled, known.inference_mode})
    if (!PyCFunction_CheckExact(function) || PyCFunction_GET_FLAGS(function) != METH_NOARGS)
      throw std::invalid_argument("a function of torch takes arguments");
  if (!PyCFunction_CheckExact(known.increment_version) || PyCFunction_GET_FLAGS(known.increment_version) != METH_O)
    throw std::invalid_argument("torch's function for versions does not take one argument");
  if (!PyCFunction_CheckExact(known.is_tracing))
    throw std::invalid_argument("torch's question for its tracer is no C function");
  if (Py_TYPE(known.is_negated) != &PyMethodDescr_Type ||
      reinterpret_cast<PyMethodDescrObject*>(known.is_negated)->d_method->ml_flags != METH_NOARGS)
    throw std::invalid_argument("Tensor.is_neg takes arguments");
  if (!PyDict_Check(forward_ad)) throw std::invalid_argument("forward_ad is no dictionary");
  known.forward_ad = forward_ad;
  known.forward_level_name = PyUnicode_InternFromString("_current_level");
  for (PyObject* kept : {types, capsule, functions, forward_ad}) Py_INCREF(kept);
  torch = known;
}

bool is_torch_tensor(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  return type == torch.tensor || (type == torch.parameter && torch.parameter);
}

TorchState torch_state() {
  PyObject* level = PyDict_GetItemWithError(torch.forward_ad, torch.forward_level_name);  // -1 outside of it
  const bool differentiating = !level || !PyLong_Check(level) || PyLong_AsLong(level) >= 0;
  if (PyErr_Occurred()) PyErr_Clear();
  TorchState state{};
  if (differentiating || is_watched()) return state;
  state.plain = true;
  state.grad_enabled = holds(torch.grad_enabled);
  // With gradients enabled inside of inference mode, its tensors are declined: seldom, and right.
  state.inference_mode = !state.grad_enabled && holds(torch.inference_mode);
  return state;
}

bool view_torch_tensor(PyObject* object, const TorchState& state, bool write, ArrayView& view) {
  dlpack::Tensor tensor;
  if (!view_memory(object, tensor, view)) return false;
  const auto is = [&](const ElementInfo& info) {
    return info.dlpack_code == tensor.dtype.code && info.size * 8 == tensor.dtype.bits;
  };
  return find_element_type(is, view.type) && may_be_touched(object, state, write, view);
}

bool view_torch_bits(PyObject* object, const TorchState& state, bool write, ArrayView& view) {
  dlpack::Tensor tensor;
  return view_memory(object, tensor, view) && tensor.dtype.bits % 8 == 0 &&
         tensor.dtype.code != dlpack::complex_floating && may_be_touched(object, state, write, view);
}

bool view_torch_positions(PyObject* object, ArrayView& view, PositionKind& kind) {
  dlpack::Tensor tensor;
  if (!view_memory(object, tensor, view) || tensor.dtype.code != dlpack::signed_integer) return false;
  if (tensor.dtype.bits == 64)
    kind = PositionKind::int64;
  else if (tensor.dtype.bits == 32)
    kind = PositionKind::int32;
  else
    return false;
  return true;
}

bool view_torch_memory(PyObject* object, ArrayView& view) {
  dlpack::Tensor tensor;
  return view_memory(object, tensor, view);
}

PyObject* empty_tensor_like(PyObject* tensor) { return PyObject_CallOneArg(torch.empty_like, tensor); }

bool bump_versions(PyObject* tensors) {
  PyObject* done =
      PyCFunction_GET_FUNCTION(torch.increment_version)(PyCFunction_GET_SELF(torch.increment_version), tensors);
  Py_XDECREF(done);
  return done != nullptr;
}

}  // namespace yarncore::python
