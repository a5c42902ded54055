// The element types a tensor may have. To add one: a tag here, its load and store in cpu/vector_lanes.h and in cuda/elements.cuh.
#pragma once

#include "portable.h"

namespace yarncore {

enum class ElementType : uint8_t { float64, float32, bfloat16, float16 };

YARNCORE_HOST_DEVICE static constexpr size_t element_size(ElementType type) {
  return type == ElementType::float64 ? 8 : type == ElementType::float32 ? 4 : 2;
}

struct ElementName {
  const char* name;
  ElementType type;
};
constexpr ElementName element_names[] = {{"float64", ElementType::float64},
                                         {"float32", ElementType::float32},
                                         {"bfloat16", ElementType::bfloat16},
                                         {"float16", ElementType::float16}};

}  // namespace yarncore
