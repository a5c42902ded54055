// What every CPU of the platform runs (SSE2 on x86-64). Right rather than fast for float16.
#include "../rotate_tokens.h"
#include "../vector_lanes.h"

namespace yarncore::cpu {
namespace {

struct Lanes : VectorLanes<4, Lanes> {
  static constexpr bool narrowest = true;
  using Narrowest = Lanes;
};

}  // namespace

extern constexpr KernelTable baseline_kernels = {"baseline", &rotate_tokens<Lanes>, &keep_rows<Lanes>};

}  // namespace yarncore::cpu
