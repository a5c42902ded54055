// A block: as many pairs as registers hold. How its members are loaded, turned and stored for each pair layout.
#pragma once

#include <cstdint>

#include "../rotation_math.h"
#include "element_lanes.h"

namespace yarncore::cpu {

// How a register is written. Streaming goes past the caches: whole, where the target is aligned to the register, or in
// parts of 16 bytes.
enum class Store { plain, streamed, streamed_in_parts };

template <class Lanes, Store how, class V>
inline void store_as(char* out, V v) {
  if constexpr (how == Store::plain)
    Lanes::store(out, v);
  else if constexpr (how == Store::streamed)
    Lanes::stream(out, v);
  else
    Lanes::stream_in_parts(out, v);
}

// Half-split: the two members of a pair lie `apart` bytes from each other, in two registers.
template <class Lanes, ElementType type, bool interleaved>
struct Block {
  using E = Elements<Lanes, type>;
  using Stored = typename E::Stored;
  using Value = typename E::Value;
  using Factor = typename E::Factor;
  static constexpr int64_t lanes = sizeof(Value) / sizeof(Factor);
  static constexpr int64_t pairs = lanes * E::parts;
  static constexpr int64_t bytes = sizeof(Stored);  // from one block to the next
  static constexpr int halves = 2;                  // of a head, each with members of all pairs

  struct Factors {
    Value c[E::parts], s[E::parts];
  };
  struct Members {
    Stored first, second;
  };

  static inline Factors factors(const Factor* cos, const Factor* sin) {
    Factors f;
    if constexpr (E::parts == 2) {
      Lanes::split(Lanes::template load<Value>(cos), Lanes::template load<Value>(cos + lanes), f.c[0], f.c[1]);
      Lanes::split(Lanes::template load<Value>(sin), Lanes::template load<Value>(sin + lanes), f.s[0], f.s[1]);
    } else {
      f.c[0] = Lanes::template load<Value>(cos), f.s[0] = Lanes::template load<Value>(sin);
    }
    return f;
  }
  static inline Members load(const char* in, int64_t apart) {
    return {Lanes::template load<Stored>(in), Lanes::template load<Stored>(in + apart)};
  }
  static inline Members turned(const Members& x, const Factors& f) {
    Value a[E::parts], b[E::parts], y0[E::parts], y1[E::parts];
    E::widen(x.first, a), E::widen(x.second, b);
    for (int part = 0; part < E::parts; ++part) rotate_pair(a[part], b[part], f.c[part], f.s[part], y0[part], y1[part]);
    return {E::narrow(y0), E::narrow(y1)};
  }
  template <Store how>
  static inline void store(char* out, int64_t apart, const Members& y) {
    store_as<Lanes, how>(out, y.first), store_as<Lanes, how>(out + apart, y.second);
  }
};

// Interleaved: both members are neighbours in one register.
template <class Lanes, ElementType type>
struct Block<Lanes, type, true> {
  using E = Elements<Lanes, type>;
  using Stored = typename E::Stored;
  using Value = typename E::Value;
  using Factor = typename E::Factor;
  // In 32-bit lanes of bfloat16 the even elements are first members, the odd ones second.
  static constexpr bool separate = E::parts == 2;
  static constexpr int64_t lanes = sizeof(Value) / sizeof(Factor);
  static constexpr int64_t pairs = separate ? lanes : lanes / 2;
  static constexpr int64_t bytes = sizeof(Stored);
  static constexpr int halves = 1;

  struct Factors {
    Value c, s;
  };
  using Members = Stored;

  // Reads up to a register beyond the block's own pairs.
  static inline Factors factors(const Factor* cos, const Factor* sin) {
    const Value c = Lanes::template load<Value>(cos), s = Lanes::template load<Value>(sin);
    if constexpr (separate) return {c, s};
    return {Lanes::doubled(c), Lanes::even_negated(Lanes::doubled(s))};
  }
  static inline Members load(const char* in, int64_t) { return Lanes::template load<Stored>(in); }
  static inline Members turned(const Members& x, const Factors& f) {
    Value a[E::parts];
    E::widen(x, a);
    if constexpr (separate) {
      Value y[2];
      rotate_pair(a[0], a[1], f.c, f.s, y[0], y[1]);
      return E::narrow(y);
    } else {
      const Value y[1] = {rotate_members(a[0], Lanes::partners(a[0]), f.c, f.s)};
      return E::narrow(y);
    }
  }
  template <Store how>
  static inline void store(char* out, int64_t, const Members& y) {
    store_as<Lanes, how>(out, y);
  }
};

}  // namespace yarncore::cpu
