// The rotation as XLA calls it on the CPU, without Python.
#pragma once

#include "ffi_abi.h"

namespace yarncore::jax {

// Arguments: q, k if there are two results, then positions with all token axes (and, last, that of the sections), then
// the int32 row of each token where `rows` says so. Attributes, all arrays: `layout` (int64: heads_axis counted from
// the end or 0, interleaved, conjugate, rows given, rotary_start), `words` (uint32: rows, 5, pairs), `factors`
// (float64: rows), `pair_section` (uint8: pairs, or one 255 where there are no sections).
Error* rotate_handler(CallFrame* frame);

}  // namespace yarncore::jax
