// The element types in lanes: what a register of each holds, and how it becomes the values of the arithmetic.
#pragma once

#include <cstdint>

#include "../element_types.h"

namespace yarncore::cpu {

template <ElementType type>
struct TypeConstant {
  static constexpr ElementType value = type;
};

// What `work` answers for the constant of a type that is known at run time only.
template <class Work>
static inline auto with_type(ElementType type, const Work& work) {
  switch (type) {
    case ElementType::float64: return work(TypeConstant<ElementType::float64>{});
    case ElementType::float32: return work(TypeConstant<ElementType::float32>{});
    case ElementType::bfloat16: return work(TypeConstant<ElementType::bfloat16>{});
    case ElementType::float16: return work(TypeConstant<ElementType::float16>{});
  }
  __builtin_unreachable();
}

// Whether its rows of cos and sin are in double; all others have them in float.
static inline bool has_double_rows(ElementType type) { return type == ElementType::float64; }

// How a tensor of each element type is held in registers: `Stored` is what memory has, `Values` are the registers
// of `parts` times as many lanes that the arithmetic is done in.
template <class Lanes, ElementType type>
struct Elements;

// What memory has is what the arithmetic is done in. (Named by its Lanes too, so that no other unit shares its code.)
template <class Lanes, class Register, class Scalar>
struct StoredAsComputed {
  using Value = Register;
  using Stored = Register;
  using Factor = Scalar;
  static constexpr int parts = 1;
  static inline void widen(Stored v, Value (&values)[1]) { values[0] = v; }
  static inline Stored narrow(const Value (&values)[1]) { return values[0]; }
};
template <class Lanes>
struct Elements<Lanes, ElementType::float32> : StoredAsComputed<Lanes, typename Lanes::F32, float> {};
template <class Lanes>
struct Elements<Lanes, ElementType::float64> : StoredAsComputed<Lanes, typename Lanes::F64, double> {};
template <class Lanes>
struct Elements<Lanes, ElementType::float16> {
  using Value = typename Lanes::F32;
  using Stored = typename Lanes::U16;
  using Factor = float;
  static constexpr int parts = 1;
  static inline void widen(Stored v, Value (&values)[1]) { values[0] = Lanes::widen_float16(v); }
  static inline Stored narrow(const Value (&values)[1]) { return Lanes::narrow_float16(values[0]); }
};
// Part 0 holds the even elements, part 1 the odd ones.
template <class Lanes>
struct Elements<Lanes, ElementType::bfloat16> {
  using Value = typename Lanes::F32;
  using Stored = typename Lanes::U32;
  using Factor = float;
  static constexpr int parts = 2;
  static inline void widen(Stored v, Value (&values)[2]) {
    values[0] = Lanes::widen_even(v), values[1] = Lanes::widen_odd(v);
  }
  static inline Stored narrow(const Value (&values)[2]) { return Lanes::narrow_even_odd(values[0], values[1]); }
};

}  // namespace yarncore::cpu
