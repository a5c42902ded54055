// AVX2 and F16C.
#include "../rotate_tokens.h"
#include "f16c_lanes.h"

namespace yarncore::cpu {

extern constexpr KernelTable avx2_kernels = {"avx2", &rotate_tokens<Lanes8>, &keep_rows<Lanes8>};

}  // namespace yarncore::cpu
