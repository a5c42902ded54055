// The size of a core's own cache, which decides whether it matters how memory is read and written.
#pragma once

#include <cstdint>

namespace yarncore::cpu {

// Bytes of the second level; read once.
int64_t own_cache();

}  // namespace yarncore::cpu
