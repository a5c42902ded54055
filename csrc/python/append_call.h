// append_ on plain arrays, checked and carried out at once, or declined without a word and with nothing written.
#pragma once

#include <Python.h>

#include "plain_call.h"

namespace yarncore::python {

// The arguments of append_, borrowed; q, v, value_cache and out may be None, heads_axis Ellipsis.
struct AppendArguments {
  PyObject *q, *k, *v, *positions, *key_cache, *value_cache, *slots, *heads_axis, *out;
};

// The rotated queries, a new reference, or True where there are none; null with no error set where it declines.
PyObject* append_if_plain(const PlainRotation& rotation, const AppendArguments& arguments);

}  // namespace yarncore::python
