// The heads of one token, turned by its row of cos and sin.
#pragma once

#include <cstdint>

#include "../request.h"
#include "blocks.h"

namespace yarncore::cpu {

// What a thread may fetch ahead: up to `end`, where its part of the operand ends, since another thread may be
// writing beyond. Null: nothing.
struct Prefetch {
  const char* end;
  void operator()(const char* in, int64_t bytes) const {
    constexpr int64_t ahead = 4096, line = 64;
    if (!end || in + ahead + bytes > end) return;
    for (int64_t offset = 0; offset < bytes; offset += line) __builtin_prefetch(in + ahead + offset, 1);
  }
};

// The heads of a token: `count` of them.
struct Heads {
  const char* in;
  char* out;
  int64_t count, in_stride, out_stride;
  int64_t head_dim;
};

template <ElementType type>
struct TypeConstant {
  static constexpr ElementType value = type;
};

// What does not turn is passed through.
template <int64_t size>
inline void copy_rest(const char* in, char* out, int64_t pairs, int64_t head_dim) {
  if (in != out && 2 * pairs < head_dim)
    __builtin_memcpy(out + 2 * pairs * size, in + 2 * pairs * size, static_cast<size_t>((head_dim - 2 * pairs) * size));
}

// Exactly `blocks` blocks, whose factors stay in registers for all heads.
template <class B, int64_t size, int blocks>
void rotate_in_registers(const Heads& heads, const void* cos_row, const void* sin_row, int64_t, Prefetch prefetch) {
  constexpr int64_t pairs = blocks * B::pairs, apart = pairs * size;
  const auto *cos = static_cast<const typename B::Factor*>(cos_row), *sin = static_cast<const typename B::Factor*>(sin_row);
  typename B::Factors factors[blocks];
  for (int b = 0; b < blocks; ++b) factors[b] = B::factors(cos + b * B::pairs, sin + b * B::pairs);
  const char* in = heads.in;
  char* out = heads.out;
  for (int64_t head = 0; head < heads.count; ++head, in += heads.in_stride, out += heads.out_stride) {
    prefetch(in, 2 * pairs * size);
#pragma GCC unroll 16
    for (int b = 0; b < blocks; ++b)
      B::template store<false>(out + b * B::bytes, apart, B::turned(B::load(in + b * B::bytes, apart), factors[b]));
    copy_rest<size>(in, out, pairs, heads.head_dim);
  }
}

// Any number of pairs from one block on. The last block may overlap the one before: its members are loaded before
// anything is stored, so that both write the same values.
template <class B, int64_t size, bool streamed>
void rotate_in_blocks(const Heads& heads, const void* cos_row, const void* sin_row, int64_t pairs, Prefetch prefetch) {
  const auto *cos = static_cast<const typename B::Factor*>(cos_row), *sin = static_cast<const typename B::Factor*>(sin_row);
  const int64_t apart = pairs * size, whole = pairs / B::pairs, last = pairs - B::pairs;
  const int64_t last_offset = last / B::pairs * B::bytes + last % B::pairs * (B::bytes / B::pairs);
  const bool overlapping = pairs % B::pairs != 0;
  const char* in = heads.in;
  char* out = heads.out;
  for (int64_t head = 0; head < heads.count; ++head, in += heads.in_stride, out += heads.out_stride) {
    prefetch(in, 2 * pairs * size);
    const typename B::Members tail = B::load(in + last_offset, apart);
    for (int64_t b = 0; b < whole; ++b)
      B::template store<streamed>(out + b * B::bytes, apart,
                                  B::turned(B::load(in + b * B::bytes, apart),
                                            B::factors(cos + b * B::pairs, sin + b * B::pairs)));
    if (overlapping)
      B::template store<false>(out + last_offset, apart, B::turned(tail, B::factors(cos + last, sin + last)));
    copy_rest<size>(in, out, pairs, heads.head_dim);
  }
}

// Fewer pairs than any block has: through a block of its own.
template <class B, int64_t size, bool interleaved>
void rotate_few_pairs(const Heads& heads, const void* cos_row, const void* sin_row, int64_t pairs, Prefetch) {
  const auto *cos = static_cast<const typename B::Factor*>(cos_row), *sin = static_cast<const typename B::Factor*>(sin_row);
  constexpr int64_t apart = B::pairs * size;
  const char* in = heads.in;
  char* out = heads.out;
  const auto copy = [pairs](const char* from, int64_t from_apart, char* to, int64_t to_apart) {
    if constexpr (interleaved) {
      __builtin_memcpy(to, from, static_cast<size_t>(2 * pairs * size));
    } else {
      __builtin_memcpy(to, from, static_cast<size_t>(pairs * size));
      __builtin_memcpy(to + to_apart, from + from_apart, static_cast<size_t>(pairs * size));
    }
  };
  for (int64_t head = 0; head < heads.count; ++head, in += heads.in_stride, out += heads.out_stride) {
    char block[2 * apart] = {};
    copy(in, pairs * size, block, apart);
    B::template store<false>(block, apart, B::turned(B::load(block, apart), B::factors(cos, sin)));
    copy(block, apart, out, pairs * size);
    copy_rest<size>(in, out, pairs, heads.head_dim);
  }
}

// Turns heads whose elements are contiguous. `cos`, `sin`: rows of the factor type of the elements.
using RotateHeads = void (*)(const Heads&, const void* cos, const void* sin, int64_t pairs, Prefetch);

template <class Lanes, ElementType type, bool interleaved>
inline RotateHeads choose_rotate_heads(int64_t pairs, bool streamed) {
  using B = Block<Lanes, type, interleaved>;
  constexpr int64_t size = element_size(type);
  if (pairs < B::pairs) {
    if constexpr (Lanes::narrowest)
      return rotate_few_pairs<B, size, interleaved>;
    else
      return choose_rotate_heads<typename Lanes::Narrower, type, interleaved>(pairs, streamed);
  }
  if (streamed) return rotate_in_blocks<B, size, true>;
  switch (pairs % B::pairs == 0 ? pairs / B::pairs : 0) {
    case 1: return rotate_in_registers<B, size, 1>;
    case 2: return rotate_in_registers<B, size, 2>;
    case 3: return rotate_in_registers<B, size, 3>;
    case 4: return rotate_in_registers<B, size, 4>;
    case 6: return rotate_in_registers<B, size, 6>;
    case 8: return rotate_in_registers<B, size, 8>;
    case 16: return rotate_in_registers<B, size, 16>;
    default: return rotate_in_blocks<B, size, false>;
  }
}

template <class Lanes>
inline RotateHeads choose_rotate_heads(ElementType type, bool interleaved, int64_t pairs, bool streamed) {
  const auto of_type = [&](auto constant) {
    constexpr ElementType known = decltype(constant)::value;
    return interleaved ? choose_rotate_heads<Lanes, known, true>(pairs, streamed)
                       : choose_rotate_heads<Lanes, known, false>(pairs, streamed);
  };
  switch (type) {
    case ElementType::float64: return of_type(TypeConstant<ElementType::float64>{});
    case ElementType::float32: return of_type(TypeConstant<ElementType::float32>{});
    case ElementType::bfloat16: return of_type(TypeConstant<ElementType::bfloat16>{});
    case ElementType::float16: return of_type(TypeConstant<ElementType::float16>{});
  }
  return nullptr;
}

}  // namespace yarncore::cpu
