// The heads of one token, turned by its row of cos and sin.
#pragma once

#include <cstdint>

#include "../request.h"
#include "blocks.h"

namespace yarncore::cpu {

// What a thread fetches ahead of the heads it turns: about 4 KiB further on in the order in which it reads. Where the
// heads of neighbouring tokens do not touch, as in a fused qkv, what lies between them is stepped over. Up to `end`,
// where the thread's part of the operand ends, since another thread may be writing beyond. Null: nothing.
struct Prefetch {
  const char* end;
  int64_t ahead;     // bytes from a head to the one to fetch, in the same column of heads of a later token
  int64_t wrap_at;   // heads that start so many bytes or more after their token's first are fetched ...
  int64_t wrap_by;   // ... so many bytes further on, in the token after that
  const char* token;  // the first head of the token at hand

  void operator()(const char* in, int64_t bytes) const {
    constexpr int64_t line = 64;
    if (!end) return;
    const char* from = in + ahead + (in - token >= wrap_at ? wrap_by : 0);
    if (from + bytes > end) return;
    for (int64_t offset = 0; offset < bytes; offset += line) __builtin_prefetch(from + offset, 1);
  }
};

// Heads of a token, `count` of them.
struct Heads {
  const char* in;
  char* out;
  int64_t count, in_stride, out_stride;
  const void *cos, *sin;  // the token's row, in the factor type of the elements
  int64_t pairs, head_dim;
  Prefetch prefetch;
};

// Turns heads whose elements are contiguous.
using RotateHeads = void (*)(const Heads&);

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
template <class B, int64_t size, int blocks, Store how>
void rotate_in_registers(const Heads& heads) {
  constexpr int64_t pairs = blocks * B::pairs, apart = pairs * size;
  const auto *cos = static_cast<const typename B::Factor*>(heads.cos), *sin = static_cast<const typename B::Factor*>(heads.sin);
  typename B::Factors factors[blocks];
  for (int b = 0; b < blocks; ++b) factors[b] = B::factors(cos + b * B::pairs, sin + b * B::pairs);
  const char* in = heads.in;
  char* out = heads.out;
  const Prefetch prefetch = heads.prefetch;
  for (int64_t n = 0; n < heads.count; ++n, in += heads.in_stride, out += heads.out_stride) {
    prefetch(in, 2 * pairs * size);
#pragma GCC unroll 16
    for (int b = 0; b < blocks; ++b)
      B::template store<how>(out + b * B::bytes, apart, B::turned(B::load(in + b * B::bytes, apart), factors[b]));
    copy_rest<size>(in, out, pairs, heads.head_dim);
  }
}

// Pairs [first, pairs) of a head: as many blocks as fit, the rest in narrower ones.
template <class Lanes, ElementType type, bool interleaved, Store how>
inline int64_t rotate_from(int64_t first, int64_t pairs, const char* in, char* out, int64_t apart,
                           const typename Elements<Lanes, type>::Factor* cos,
                           const typename Elements<Lanes, type>::Factor* sin) {
  using B = Block<Lanes, type, interleaved>;
  for (; first + B::pairs <= pairs; first += B::pairs) {
    const int64_t offset = first * (B::bytes / B::pairs);
    B::template store<how>(out + offset, apart, B::turned(B::load(in + offset, apart), B::factors(cos + first, sin + first)));
  }
  if constexpr (!Lanes::narrowest)
    if (first < pairs)
      return rotate_from<typename Lanes::Narrower, type, interleaved, Store::plain>(first, pairs, in, out, apart, cos, sin);
  return first;
}

// Any number of pairs from one narrowest block on. What is left after all blocks is turned by one that overlaps the
// one before: its members are loaded before anything is stored, so that both write the same values.
template <class Lanes, ElementType type, bool interleaved, Store how>
void rotate_in_blocks(const Heads& heads) {
  using Last = Block<typename Lanes::Narrowest, type, interleaved>;
  constexpr int64_t size = element_size(type);
  const int64_t pairs = heads.pairs, apart = pairs * size, last = pairs - Last::pairs;
  const int64_t last_offset = last * (Last::bytes / Last::pairs);
  const auto *cos = static_cast<const typename Last::Factor*>(heads.cos), *sin = static_cast<const typename Last::Factor*>(heads.sin);
  const char* in = heads.in;
  char* out = heads.out;
  const Prefetch prefetch = heads.prefetch;
  for (int64_t n = 0; n < heads.count; ++n, in += heads.in_stride, out += heads.out_stride) {
    prefetch(in, 2 * pairs * size);
    const auto tail = Last::load(in + last_offset, apart);
    if (rotate_from<Lanes, type, interleaved, how>(0, pairs, in, out, apart, cos, sin) < pairs)
      Last::template store<Store::plain>(out + last_offset, apart, Last::turned(tail, Last::factors(cos + last, sin + last)));
    copy_rest<size>(in, out, pairs, heads.head_dim);
  }
}

// Fewer pairs than any block has: through a block of its own.
template <class B, int64_t size, bool interleaved>
void rotate_few_pairs(const Heads& heads) {
  constexpr int64_t apart = B::pairs * size;
  const int64_t pairs = heads.pairs;
  const auto *cos = static_cast<const typename B::Factor*>(heads.cos), *sin = static_cast<const typename B::Factor*>(heads.sin);
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
  for (int64_t n = 0; n < heads.count; ++n, in += heads.in_stride, out += heads.out_stride) {
    char block[2 * apart] = {};
    copy(in, pairs * size, block, apart);
    B::template store<Store::plain>(block, apart, B::turned(B::load(block, apart), B::factors(cos, sin)));
    copy(block, apart, out, pairs * size);
    copy_rest<size>(in, out, pairs, heads.head_dim);
  }
}

template <class Lanes, ElementType type, bool interleaved, Store how>
inline RotateHeads choose_by_blocks(int64_t pairs) {
  using B = Block<Lanes, type, interleaved>;
  constexpr int64_t size = element_size(type);
  switch (pairs % B::pairs == 0 ? pairs / B::pairs : 0) {
    case 1: return rotate_in_registers<B, size, 1, how>;
    case 2: return rotate_in_registers<B, size, 2, how>;
    case 3: return rotate_in_registers<B, size, 3, how>;
    case 4: return rotate_in_registers<B, size, 4, how>;
    case 6: return rotate_in_registers<B, size, 6, how>;
    case 8: return rotate_in_registers<B, size, 8, how>;
    case 16: return rotate_in_registers<B, size, 16, how>;
    default: return rotate_in_blocks<Lanes, type, interleaved, how>;
  }
}

template <class Lanes, ElementType type, bool interleaved>
inline RotateHeads choose_rotate_heads(int64_t pairs, int64_t stream_alignment) {
  using B = Block<Lanes, type, interleaved>;
  if (pairs < B::pairs) {
    if constexpr (Lanes::narrowest)
      return rotate_few_pairs<B, element_size(type), interleaved>;
    else
      return choose_rotate_heads<typename Lanes::Narrower, type, interleaved>(pairs, stream_alignment);
  }
  if (stream_alignment >= B::bytes) return choose_by_blocks<Lanes, type, interleaved, Store::streamed>(pairs);
  if (stream_alignment) return choose_by_blocks<Lanes, type, interleaved, Store::streamed_in_parts>(pairs);
  return choose_by_blocks<Lanes, type, interleaved, Store::plain>(pairs);
}

// `stream_alignment`: 0 for plain stores.
template <class Lanes>
inline RotateHeads choose_rotate_heads(ElementType type, bool interleaved, int64_t pairs,
                                       int64_t stream_alignment) {
  const auto of_type = [&](auto constant) {
    constexpr ElementType known = decltype(constant)::value;
    return interleaved ? choose_rotate_heads<Lanes, known, true>(pairs, stream_alignment)
                       : choose_rotate_heads<Lanes, known, false>(pairs, stream_alignment);
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
