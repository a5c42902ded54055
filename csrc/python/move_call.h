// move_ under one scale on plain arrays, checked and carried out at once, or declined without a word and with nothing
// written.
#pragma once

#include <Python.h>

#include "plain_call.h"

namespace yarncore::python {

// The arguments of move_, borrowed; into, values and values_into may be None, heads_axis Ellipsis.
struct MoveArguments {
  PyObject *keys, *source, *target, *by, *into, *values, *values_into, *heads_axis;
};

// True; null with no error set where it declines. `rotation`: without its factor.
PyObject* move_if_plain(const PlainRotation& rotation, const MoveArguments& arguments);

}  // namespace yarncore::python
