// The CPU rotation as the bindings see it. From here to the arithmetic of a pair:
//   rotate.cpp       tokens are shared out among threads, by schedule.cpp; a thread enters its instruction set in isa/
//   rotate_tokens.h  block after block: place_tokens (place_tokens.h), make_rows, then for each operand turn_block
//   place_pools.h    where a token lies that goes out of a pool or into one; its values: carry_values.h
//   make_row.h       a row: position -> phase_of -> cos_sin_of (../rotation_math.h), rounded once
//   load_row.h       or one of the tables that are given
//   make_joined_row.h  or of two turns, whose phases are added
//   turn_operand.h   heads of a token -> the function of rotate_heads.h for their type, layout and number of pairs
//   rotate_heads.h   head after head: load, turned, store of blocks.h, whose registers are those of element_lanes.h
//   blocks.h         turned: rotate_pair, or rotate_members (../rotation_math.h)
#pragma once

#include "../request.h"

namespace yarncore::cpu {

// Turns every token of the request with the instruction set in use, on as many threads as pay.
void rotate(const Request& request);

// Makes the row of every token of a request without operands, in the same way.
void make_rows(const Request& request, const MadeRows& rows);

}  // namespace yarncore::cpu
