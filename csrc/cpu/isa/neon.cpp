// NEON of AArch64.
#include <arm_neon.h>

#include "../rotate_tokens.h"
#include "../vector_lanes.h"

namespace yarncore::cpu {
namespace {

struct Lanes : VectorLanes<4, Lanes> {
  static constexpr bool narrowest = true;
  using Narrowest = Lanes;
  static inline U64 mul32(U64 a, U64 b) {
    return reinterpret_cast<U64>(
        vmull_u32(vmovn_u64(reinterpret_cast<uint64x2_t>(a)), vmovn_u64(reinterpret_cast<uint64x2_t>(b))));
  }
  static inline F32 widen_float16(U16 bits) {
    return reinterpret_cast<F32>(vcvt_f32_f16(reinterpret_cast<float16x4_t>(bits)));
  }
  static inline U16 narrow_float16(F32 value) {
    return reinterpret_cast<U16>(vcvt_f16_f32(reinterpret_cast<float32x4_t>(value)));
  }
};

}  // namespace

extern constexpr KernelTable neon_kernels = {"neon", &rotate_tokens<Lanes>, &keep_rows<Lanes>};

}  // namespace yarncore::cpu
