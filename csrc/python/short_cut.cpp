#include "short_cut.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <structmember.h>

#include "../fill_request.h"
#include "append_call.h"
#include "checked_call.h"
#include "fresh_results.h"
#include "move_call.h"
#include "numpy_arrays.h"
#include "plain_call.h"
#include "torch_tensors.h"

namespace yarncore::python {
namespace {

namespace py = pybind11;

// Immutable after it is made.
struct ShortCut {
  PyObject_HEAD
  PyObject *turns, *pair_section, *rows;  // keep the memory of `rotation` alive
  PlainRotation rotation;
};

// C++ exceptions end here: what calls these functions is C.
template <class Work>
PyObject* in_python_terms(const Work& work) {
  try {
    return work();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

PyObject* new_short_cut(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject *turns, *pair_section, *rows, *query_scale;
  long long head_dim, sections, rotary_start;
  int interleaved, conjugate;
  if (!PyArg_ParseTuple(arguments, "OLppOLOLO", &turns, &head_dim, &interleaved, &conjugate, &pair_section, &sections,
                        &rows, &rotary_start, &query_scale))
    return nullptr;
  return in_python_terms([&]() -> PyObject* {
    PlainRotation rotation{};
    const bool made = py::isinstance<Rows>(py::handle(turns));
    const TurnsTable table =
        made ? py::cast<const Rows&>(py::handle(turns)).shape() : py::cast<const Turns&>(py::handle(turns)).table();
    if (made) rotation.made = py::cast<const Rows&>(py::handle(turns)).rows();
    if (rows != Py_None) {
      if (!is_plain_array(rows) || !view_positions(py::reinterpret_borrow<py::array>(rows), rotation.rows))
        throw std::invalid_argument("rows are an array of int32");
    } else if (made || table.rows != 1) {
      throw std::invalid_argument("without an index there is a single row of turns");
    }
    if (pair_section != Py_None) {
      const auto array = py::cast<py::array_t<uint8_t, py::array::c_style>>(py::handle(pair_section));
      if (array.size() != table.pairs || array.ptr() != pair_section)
        throw std::invalid_argument("pair_section has one byte a pair");
      if (count_sections(array.data(), table.pairs) > sections)
        throw std::invalid_argument("there are more sections than said");
      rotation.pair_section = array.data();
    }
    rotation.turns = table;
    rotation.head_dim = head_dim;
    rotation.sections = sections;
    rotation.rotary_start = rotary_start;
    rotation.interleaved = interleaved != 0;
    rotation.conjugate = conjugate != 0;
    rotation.query_scale = view_query_scale(query_scale);
    auto* self = reinterpret_cast<ShortCut*>(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    self->turns = Py_NewRef(turns);
    self->pair_section = Py_NewRef(pair_section);
    self->rows = Py_NewRef(rows);
    self->rotation = rotation;
    return reinterpret_cast<PyObject*>(self);
  });
}

void free_short_cut(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  auto* self = reinterpret_cast<ShortCut*>(object);
  Py_DECREF(self->turns);
  Py_DECREF(self->pair_section);
  Py_DECREF(self->rows);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* short_cut_attempt(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 7) {
    PyErr_SetString(PyExc_TypeError, "attempt takes q, k, positions, heads_axis, in_place, out, query");
    return nullptr;
  }
  PyObject* result = in_python_terms([&] {
    const PlainRotation& rotation = reinterpret_cast<ShortCut*>(self)->rotation;
    return rotate_if_plain(rotation, arguments[0], arguments[1], rotation.made.identity ? nullptr : arguments[2],
                           arguments[3], arguments[4] == Py_True, arguments[5], arguments[6]);
  });
  return result || PyErr_Occurred() ? result : Py_NewRef(Py_None);
}

PyObject* short_cut_append(PyObject* self, PyObject* const* given, Py_ssize_t count) {
  if (count != 9) {
    PyErr_SetString(PyExc_TypeError, "append takes q, k, v, positions, key_cache, value_cache, slots, heads_axis, out");
    return nullptr;
  }
  PyObject* result = in_python_terms([&] {
    const AppendArguments arguments{given[0], given[1], given[2], given[3], given[4],
                                    given[5], given[6], given[7], given[8]};
    return append_if_plain(reinterpret_cast<ShortCut*>(self)->rotation, arguments);
  });
  return result || PyErr_Occurred() ? result : Py_NewRef(Py_None);
}

PyObject* short_cut_move(PyObject* self, PyObject* const* given, Py_ssize_t count) {
  if (count != 8) {
    PyErr_SetString(PyExc_TypeError, "move takes keys, source, target, by, into, values, values_into, heads_axis");
    return nullptr;
  }
  PyObject* result = in_python_terms([&] {
    const MoveArguments arguments{given[0], given[1], given[2], given[3], given[4], given[5], given[6], given[7]};
    return move_if_plain(reinterpret_cast<ShortCut*>(self)->rotation, arguments);
  });
  return result || PyErr_Occurred() ? result : Py_NewRef(Py_None);
}

PyMethodDef short_cut_methods[] = {
    {"attempt", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(short_cut_attempt)), METH_FASTCALL,
     "The result, or None: declined."},
    {"append", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(short_cut_append)), METH_FASTCALL,
     "The rotated queries, True where there are none, or None: declined."},
    {"move", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(short_cut_move)), METH_FASTCALL,
     "True, or None: declined."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot short_cut_slots[] = {{Py_tp_new, reinterpret_cast<void*>(new_short_cut)},
                                 {Py_tp_dealloc, reinterpret_cast<void*>(free_short_cut)},
                                 {Py_tp_methods, short_cut_methods},
                                 {0, nullptr}};
PyType_Spec short_cut_spec = {"yarncore._core.ShortCut", sizeof(ShortCut), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, short_cut_slots};
PyTypeObject* short_cut_type = nullptr;

// The descriptor: in a class body it stands for the Python function that it wraps and behaves as that function
// does, but first asks the ShortCut in the object's attribute `_short_cut`.
struct Method {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject *function, *name, *qualname, *module, *doc;
  char in_place, prepared;  // prepared: a call has no positions
  // Where objects of this type keep `_short_cut`, a slot of the class; null until the first call.
  PyTypeObject* known_type;
  Py_ssize_t offset;
};

PyObject *short_cut_name, *heads_axis_name, *positions_name, *out_name, *query_name;

// The object's attribute `_short_cut`, borrowed; null where it has none.
PyObject* short_cut_of(Method& method, PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (type != method.known_type) {
    PyObject* slot = _PyType_Lookup(type, short_cut_name);
    if (!slot || Py_TYPE(slot) != &PyMemberDescr_Type) return nullptr;
    const PyMemberDef* member = reinterpret_cast<PyMemberDescrObject*>(slot)->d_member;
    if (member->type != T_OBJECT_EX) return nullptr;
    Py_INCREF(type);
    Py_XSETREF(method.known_type, type);
    method.offset = member->offset;
  }
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + method.offset);
}

PyObject* call_method(PyObject* object, PyObject* const* arguments, size_t flags, PyObject* names) {
  Method& method = *reinterpret_cast<Method*>(object);
  const Py_ssize_t count = PyVectorcall_NARGS(flags), named = names ? PyTuple_GET_SIZE(names) : 0;
  PyObject *positions = count == 4 ? arguments[3] : nullptr, *heads_axis = Py_Ellipsis, *out = Py_None,
           *query = Py_None;
  bool known = count == 3 || (count == 4 && !method.prepared);
  for (Py_ssize_t n = 0; n < named && known; ++n) {
    PyObject *name = PyTuple_GET_ITEM(names, n), *value = arguments[count + n];
    if (name == heads_axis_name)
      heads_axis = value;
    else if (name == positions_name && !positions && !method.prepared)
      positions = value;
    else if (name == out_name && !method.in_place)
      out = value;
    else if (name == query_name)
      query = value;
    else
      known = false;
  }
  if (known && (positions || method.prepared)) {
    PyObject* short_cut = short_cut_of(method, arguments[0]);
    if (short_cut && Py_TYPE(short_cut) == short_cut_type) {
      Py_INCREF(short_cut);
      PyObject* result = in_python_terms([&] {
        return rotate_if_plain(reinterpret_cast<ShortCut*>(short_cut)->rotation, arguments[1], arguments[2], positions,
                               heads_axis, method.in_place, out, query);
      });
      Py_DECREF(short_cut);
      if (result || PyErr_Occurred()) return result;
    }
  }
  return PyObject_Vectorcall(method.function, arguments, flags & ~PY_VECTORCALL_ARGUMENTS_OFFSET, names);
}

PyObject* new_method(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject* function;
  int in_place, prepared;
  if (!PyArg_ParseTuple(arguments, "Opp", &function, &in_place, &prepared)) return nullptr;
  auto* self = reinterpret_cast<Method*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->vectorcall = call_method;
  self->in_place = static_cast<char>(in_place);
  self->prepared = static_cast<char>(prepared);
  self->function = Py_NewRef(function);
  self->name = PyObject_GetAttrString(function, "__name__");
  self->qualname = PyObject_GetAttrString(function, "__qualname__");
  self->module = PyObject_GetAttrString(function, "__module__");
  self->doc = PyObject_GetAttrString(function, "__doc__");
  if (self->name && self->qualname && self->module && self->doc) return reinterpret_cast<PyObject*>(self);
  Py_DECREF(self);
  return nullptr;
}

int traverse_method(PyObject* object, visitproc visit, void* arg) {
  const auto* self = reinterpret_cast<Method*>(object);
  Py_VISIT(Py_TYPE(object));
  for (PyObject* held : {self->function, self->name, self->qualname, self->module, self->doc}) Py_VISIT(held);
  Py_VISIT(self->known_type);
  return 0;
}
int clear_method(PyObject* object) {
  auto* self = reinterpret_cast<Method*>(object);
  for (PyObject** held : {&self->function, &self->name, &self->qualname, &self->module, &self->doc}) Py_CLEAR(*held);
  Py_CLEAR(self->known_type);
  return 0;
}
void free_method(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear_method(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* bind_method(PyObject* self, PyObject* object, PyObject*) {
  return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}

// What one asks of a function.
PyMemberDef method_members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Method, vectorcall), READONLY, nullptr},
                                {"__wrapped__", T_OBJECT_EX, offsetof(Method, function), READONLY, nullptr},
                                {"__name__", T_OBJECT_EX, offsetof(Method, name), READONLY, nullptr},
                                {"__qualname__", T_OBJECT_EX, offsetof(Method, qualname), READONLY, nullptr},
                                {"__module__", T_OBJECT_EX, offsetof(Method, module), READONLY, nullptr},
                                {"__doc__", T_OBJECT_EX, offsetof(Method, doc), READONLY, nullptr},
                                {nullptr, 0, 0, 0, nullptr}};
PyType_Slot method_slots[] = {{Py_tp_new, reinterpret_cast<void*>(new_method)},
                              {Py_tp_dealloc, reinterpret_cast<void*>(free_method)},
                              {Py_tp_traverse, reinterpret_cast<void*>(traverse_method)},
                              {Py_tp_clear, reinterpret_cast<void*>(clear_method)},
                              {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                              {Py_tp_descr_get, reinterpret_cast<void*>(bind_method)},
                              {Py_tp_members, method_members},
                              {0, nullptr}};
PyType_Spec method_spec = {"yarncore._core.Method", sizeof(Method), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                               Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_IMMUTABLETYPE,
                           method_slots};

}  // namespace

void add_short_cut(py::module_& module) {
  short_cut_name = PyUnicode_InternFromString("_short_cut");
  heads_axis_name = PyUnicode_InternFromString("heads_axis");
  positions_name = PyUnicode_InternFromString("positions");
  out_name = PyUnicode_InternFromString("out");
  query_name = PyUnicode_InternFromString("query");
  const auto add = [&](const char* name, PyType_Spec& spec) {
    const auto type = py::reinterpret_steal<py::object>(PyType_FromSpec(&spec));
    if (!type) throw py::error_already_set();
    module.attr(name) = type;
    return reinterpret_cast<PyTypeObject*>(type.ptr());
  };
  short_cut_type = add("ShortCut", short_cut_spec);
  PyTypeObject* method_type = add("Method", method_spec);
  module.def("fresh_like", [](py::object x) {
    auto result = py::reinterpret_steal<py::object>(fresh_like(x.ptr()));
    if (!result) throw py::error_already_set();
    return result;
  });
  // torch.compile does not run __get__ but looks it up and traces it, where it is a Python function: such a one
  // stands in the type's dictionary, and Python itself goes on using the slot.
  module.def("set_traced_get", [method_type](py::function function) {
    if (PyDict_SetItemString(method_type->tp_dict, "__get__", function.ptr()) != 0) throw py::error_already_set();
    PyType_Modified(method_type);
  });
  module.def("register_torch", [](py::tuple types, py::object table, py::tuple functions, py::dict forward_ad) {
    register_torch(types.ptr(), table.ptr(), functions.ptr(), forward_ad.ptr());
  });
}

}  // namespace yarncore::python
