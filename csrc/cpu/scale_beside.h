// The elements of queries that do not turn, where whole heads are scaled. Templates over the Lanes of an instruction
// set: each unit keeps its own copy.
#pragma once

#include <cstdint>

#include "../request.h"
#include "element_lanes.h"
#include "rotate_heads.h"

namespace yarncore::cpu {

// As many elements as the narrowest register holds, multiplied; `apart` of them are read and written at strides.
template <class Lanes, ElementType type>
inline void scale_some(const char* in, int64_t in_stride, char* out, int64_t out_stride, int64_t count,
                       typename Elements<Lanes, type>::Factor scale) {
  using E = Elements<Lanes, type>;
  constexpr int64_t size = element_size(type);
  char together[sizeof(typename E::Stored)] = {};
  for (int64_t i = 0; i < count; ++i) __builtin_memcpy(together + i * size, in + i * in_stride, size);
  typename E::Value values[E::parts];
  E::widen(Lanes::template load<typename E::Stored>(together), values);
  for (auto& value : values) value = value * scale;
  Lanes::store(together, E::narrow(values));
  for (int64_t i = 0; i < count; ++i) __builtin_memcpy(out + i * out_stride, together + i * size, size);
}

// Elements [first, end) of every head, counted from the first that turns. In place, or out of heads that were copied.
template <class Lanes, ElementType type>
inline void scale_elements(const Operand& x, const Heads& heads, int64_t first, int64_t end, double scale) {
  using Narrow = typename Lanes::Narrowest;
  using E = Elements<Narrow, type>;
  constexpr int64_t together = sizeof(typename E::Stored) / element_size(type);
  for (int64_t n = 0; n < heads.count; ++n) {
    const char* in = heads.in + n * heads.in_stride;
    char* out = heads.out + n * heads.out_stride;
    for (int64_t i = first; i < end; i += together)
      scale_some<Narrow, type>(in + i * x.in_element, x.in_element, out + i * x.out_element, x.out_element,
                               end - i < together ? end - i : together, static_cast<typename E::Factor>(scale));
  }
}

// What stands before and behind the elements that turn.
template <class Lanes>
[[gnu::noinline]] static void scale_beside(const Operand& x, const Heads& heads, double scale) {
  const int64_t turning = 2 * heads.pairs;
  if (!x.before && turning == x.head_dim) return;
  with_type(x.type, [&](auto constant) {
    constexpr ElementType type = decltype(constant)::value;
    scale_elements<Lanes, type>(x, heads, -x.before, 0, scale);
    scale_elements<Lanes, type>(x, heads, turning, x.head_dim, scale);
  });
}

}  // namespace yarncore::cpu
