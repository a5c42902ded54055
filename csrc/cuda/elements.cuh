// Elements of a tensor to float and back, rounded to nearest even. Under CUDA's compilers by the functions of its own
// headers, which run on host and device alike.
#pragma once

#include "../element_types.h"

#ifndef __CUDACC_RTC__
#include <cstring>
#endif
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace yarncore::cuda {

YARNCORE_HOST_DEVICE inline float float_of_bits(uint32_t bits) { return bits_as<float>(bits); }
YARNCORE_HOST_DEVICE inline uint32_t bits_of_float(float value) { return bits_as<uint32_t>(value); }

template <ElementType type>
struct Element;

template <>
struct Element<ElementType::float32> {
  using Raw = uint32_t;
  YARNCORE_HOST_DEVICE static float load(Raw raw) { return float_of_bits(raw); }
  YARNCORE_HOST_DEVICE static Raw store(float value) { return bits_of_float(value); }
};

template <>
struct Element<ElementType::bfloat16> {
  using Raw = uint16_t;
  YARNCORE_HOST_DEVICE static float load(Raw raw) { return float_of_bits(static_cast<uint32_t>(raw) << 16); }
  YARNCORE_HOST_DEVICE static Raw store(float value) {
#ifdef __CUDACC__
    return __bfloat16_as_ushort(__float2bfloat16_rn(value));
#else
    const uint32_t bits = bits_of_float(value);
    // The carry of the rounding would make -0 of the NaN that CUDA computes with, 0x7fffffff.
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<Raw>(bits >> 16 | 0x40u);
    return static_cast<Raw>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
#endif
  }
};

template <>
struct Element<ElementType::float16> {
  using Raw = uint16_t;
#ifdef __CUDACC__
  YARNCORE_HOST_DEVICE static float load(Raw raw) { return __half2float(__ushort_as_half(raw)); }
  YARNCORE_HOST_DEVICE static Raw store(float value) { return __half_as_ushort(__float2half_rn(value)); }
#else
  static float load(Raw raw) {
    const uint32_t magnitude = static_cast<uint32_t>(raw & 0x7fffu) << 13;
    const uint32_t sign = static_cast<uint32_t>(raw & 0x8000u) << 16;
    if (magnitude >= 0x0f800000u) return float_of_bits(sign | 0x70000000u | magnitude);  // infinity and NaN
    return float_of_bits(bits_of_float(float_of_bits(magnitude) * 0x1p112f) | sign);
  }
  static Raw store(float value) {
    const uint32_t bits = bits_of_float(value), magnitude = bits & 0x7fffffffu;
    const Raw sign = static_cast<Raw>(bits >> 16 & 0x8000u);
    if (magnitude > 0x7f800000u) return static_cast<Raw>(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return static_cast<Raw>(sign | 0x7c00u);  // rounds to infinity
    // Below the normal numbers the unit is 2^-24: added to 1/2, a float's own rounding is there.
    if (magnitude < 0x38800000u)
      return static_cast<Raw>(sign | (bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3f000000u));
    return static_cast<Raw>(sign | ((magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13));
  }
#endif
};

}  // namespace yarncore::cuda
