// A call on plain arrays, checked and carried out at once, or declined without a word and with nothing written.
// Whatever is declined goes through yarncore/request.py, which has the rules in words.
#pragma once

#include <Python.h>

#include "../array_view.h"
#include "../request.h"

namespace yarncore::python {

// A rotation at positions that a call has, or by rows that were made for those of many calls.
struct PlainRotation {
  TurnsTable turns;
  MadeRows made;
  ArrayView rows;               // of turns or of what was made, for each token; `data` is null where there is one row
  int64_t head_dim;             // -1: any that is large enough
  int64_t rotary_start;         // which element of a head is the first to turn
  const uint8_t* pair_section;  // one byte a pair; null where there is one position a token
  int64_t sections;             // some may have no pairs
  bool interleaved, conjugate;
  QueryScale query_scale;
};

// What every call of a rotation begins with, before its arrays.
inline Request request_of(const PlainRotation& rotation) {
  Request request{};
  request.turns = rotation.turns;
  request.made = rotation.made;
  request.rotary_start = rotation.rotary_start;
  request.interleaved = rotation.interleaved;
  request.conjugate = rotation.conjugate;
  return request;
}

// The result, a new reference; null with no error set where it declines. `positions` is null where rows were made. `k`,
// `out` may be None; `heads_axis` Ellipsis stands for one that is not given. `query`: whether the arrays are queries;
// None: q is one, and k is not.
PyObject* rotate_if_plain(const PlainRotation& rotation, PyObject* q, PyObject* k, PyObject* positions,
                          PyObject* heads_axis, bool in_place, PyObject* out, PyObject* query);

}  // namespace yarncore::python
