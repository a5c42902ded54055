// The CPU rotation as the bindings see it.
#pragma once

#include "../request.h"

namespace yarncore::cpu {

// Turns every token of the request with the instruction set in use, on as many threads as pay.
void rotate(const Request& request);

}  // namespace yarncore::cpu
