// The CPU rotation as the bindings see it.
#pragma once

#include <string>
#include <vector>

#include "../request.h"

namespace yarncore::cpu {

// Turns every token of the request with the instruction set in use, on as many threads as pay. Decides how to go
// about it: those fields of the request are written.
void rotate(Request& request);

// Instruction sets of this build that this CPU runs, the best first.
std::vector<std::string> instruction_sets();
std::string instruction_set();
// Throws std::invalid_argument for one that this CPU or this build does not have.
void use_instruction_set(const std::string& name);

}  // namespace yarncore::cpu
