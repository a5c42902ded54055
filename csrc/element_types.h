// The element types a tensor may have, and what others call them. To add one: a row here, its lanes in
// cpu/element_lanes.h, its conversion in cuda/elements.cuh; the compiler names the switches that miss it.
#pragma once

#include "portable.h"

namespace yarncore {

enum class ElementType : uint8_t { float64, float32, bfloat16, float16 };

struct ElementInfo {
  const char* name;     // of NumPy, torch and JAX alike
  int64_t size;         // bytes
  int numpy;            // NumPy's type number; none for a type of ml_dtypes, which goes by its name
  uint8_t dlpack_code;  // DLDataTypeCode
  int xla;              // xla::PrimitiveType
};

constexpr int no_number = -1;

// In the order of the enumeration.
constexpr ElementInfo element_types[] = {
    {"float64", 8, 12, 2, 12},
    {"float32", 4, 11, 2, 11},
    {"bfloat16", 2, no_number, 4, 16},
    {"float16", 2, 23, 2, 10},
};

#ifndef __CUDACC_RTC__
constexpr const ElementInfo& info_of(ElementType type) { return element_types[static_cast<int>(type)]; }
constexpr int64_t element_size(ElementType type) { return info_of(type).size; }

// The first type of which `is` says so; false where it is none.
template <class Is>
inline bool find_element_type(const Is& is, ElementType& type) {
  for (const ElementInfo& info : element_types)
    if (is(info)) {
      type = static_cast<ElementType>(&info - element_types);
      return true;
    }
  return false;
}
#endif

}  // namespace yarncore
