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
  int64_t ahead;      // bytes from a head to the one to fetch, in the same column of heads of a later token
  int64_t wrap_at;    // heads that start so many bytes or more after their token's first are fetched ...
  int64_t wrap_by;    // ... so many bytes further on, in the token after that
  const char* token;  // the first head of the token at hand

  // For `bytes` of a head, from `offset` on, that are about to be read.
  void operator()(const char* head, int64_t offset, int64_t bytes) const {
    constexpr int64_t line = 64;
    if (!end) return;
    const char* from = head + offset + ahead + (head - token >= wrap_at ? wrap_by : 0);
    if (from + bytes > end) return;
    for (int64_t at = 0; at < bytes; at += line) __builtin_prefetch(from + at, 1);
  }
};

// Heads of a token, `count` of them.
struct Heads {
  const char* in;
  char* out;
  int64_t count, in_stride, out_stride;
  const void *cos, *sin;            // the token's row, in the factor type of the elements
  int64_t pairs, before, head_dim;  // head_dim: from `in` on
  Prefetch prefetch;
};

// Turns heads whose elements are contiguous.
using RotateHeads = void (*)(const Heads&);

// What does not turn is passed through: what follows in a head, and what comes before.
template <int64_t size>
static inline void copy_rest(const Heads& heads, const char* in, char* out) {
  if (in == out) return;
  const int64_t turning = 2 * heads.pairs;
  if (turning < heads.head_dim)
    __builtin_memcpy(out + turning * size, in + turning * size, static_cast<size_t>((heads.head_dim - turning) * size));
  if (heads.before)
    __builtin_memcpy(out - heads.before * size, in - heads.before * size, static_cast<size_t>(heads.before * size));
}

template <int64_t size>
static inline void copy_rests(const Heads& heads) {
  if (heads.in == heads.out || (2 * heads.pairs == heads.head_dim && !heads.before)) return;
  for (int64_t n = 0; n < heads.count; ++n)
    copy_rest<size>(heads, heads.in + n * heads.in_stride, heads.out + n * heads.out_stride);
}

// Blocks [first, first + blocks) of every head, whose factors stay in registers for all heads.
template <class B, int64_t size, int blocks, Store how>
inline void rotate_in_registers(const Heads& heads, int64_t first) {
  const int64_t apart = heads.pairs * size, offset = first * B::bytes;
  const auto* cos = static_cast<const typename B::Factor*>(heads.cos) + first * B::pairs;
  const auto* sin = static_cast<const typename B::Factor*>(heads.sin) + first * B::pairs;
  typename B::Factors factors[blocks];
#pragma GCC unroll 8
  for (int b = 0; b < blocks; ++b) factors[b] = B::factors(cos + b * B::pairs, sin + b * B::pairs);
  const char* in = heads.in + offset;
  char* out = heads.out + offset;
  const int64_t in_stride = heads.in_stride, out_stride = heads.out_stride;
  const Prefetch prefetch = heads.prefetch;
  for (int64_t n = heads.count; n > 0; --n, in += in_stride, out += out_stride) {
    if (prefetch.end) {
      prefetch(in - offset, offset, blocks * B::bytes);
      if (B::halves == 2) prefetch(in - offset, offset + apart, blocks * B::bytes);
    }
#pragma GCC unroll 8
    for (int b = 0; b < blocks; ++b)
      B::template store<how>(out + b * B::bytes, apart, B::turned(B::load(in + b * B::bytes, apart), factors[b]));
  }
}

// A number of pairs that fills whole blocks: as many at a time as the registers hold the factors of.
template <class Lanes, ElementType type, bool interleaved, Store how>
void rotate_whole_blocks(const Heads& heads) {
  using B = Block<Lanes, type, interleaved>;
  constexpr int64_t size = element_size(type);
  const int64_t blocks = heads.pairs / B::pairs;
  int64_t done = 0;
  if constexpr (sizeof(typename B::Factors) <= 2 * sizeof(typename B::Value))
    for (; done + 8 <= blocks; done += 8) rotate_in_registers<B, size, 8, how>(heads, done);
  for (; done + 4 <= blocks; done += 4) rotate_in_registers<B, size, 4, how>(heads, done);
  for (; done + 2 <= blocks; done += 2) rotate_in_registers<B, size, 2, how>(heads, done);
  if (done < blocks) rotate_in_registers<B, size, 1, how>(heads, done);
  copy_rests<size>(heads);
}

// Pairs [first, pairs) of a head: as many blocks as fit, the rest in narrower ones.
template <class Lanes, ElementType type, bool interleaved>
inline int64_t rotate_from(int64_t first, int64_t pairs, const char* in, char* out, int64_t apart,
                           const typename Elements<Lanes, type>::Factor* cos,
                           const typename Elements<Lanes, type>::Factor* sin) {
  using B = Block<Lanes, type, interleaved>;
  for (; first + B::pairs <= pairs; first += B::pairs) {
    const int64_t offset = first * (B::bytes / B::pairs);
    B::template store<Store::plain>(out + offset, apart,
                                    B::turned(B::load(in + offset, apart), B::factors(cos + first, sin + first)));
  }
  if constexpr (!Lanes::narrowest)
    if (first < pairs)
      return rotate_from<typename Lanes::Narrower, type, interleaved>(first, pairs, in, out, apart, cos, sin);
  return first;
}

// Any number of pairs from one narrowest block on. What is left after all blocks is turned by one that overlaps the
// one before: its members are loaded before anything is stored, so that both write the same values.
template <class Lanes, ElementType type, bool interleaved>
void rotate_in_blocks(const Heads& heads) {
  using Last = Block<typename Lanes::Narrowest, type, interleaved>;
  constexpr int64_t size = element_size(type);
  const int64_t pairs = heads.pairs, apart = pairs * size, last = pairs - Last::pairs;
  const int64_t last_offset = last * (Last::bytes / Last::pairs);
  const auto *cos = static_cast<const typename Last::Factor*>(heads.cos),
             *sin = static_cast<const typename Last::Factor*>(heads.sin);
  const char* in = heads.in;
  char* out = heads.out;
  const Prefetch prefetch = heads.prefetch;
  for (int64_t n = 0; n < heads.count; ++n, in += heads.in_stride, out += heads.out_stride) {
    prefetch(in, 0, 2 * pairs * size);
    const auto tail = Last::load(in + last_offset, apart);
    if (rotate_from<Lanes, type, interleaved>(0, pairs, in, out, apart, cos, sin) < pairs)
      Last::template store<Store::plain>(out + last_offset, apart,
                                         Last::turned(tail, Last::factors(cos + last, sin + last)));
    copy_rest<size>(heads, in, out);
  }
}

// As many pairs as one block has.
template <class Lanes, ElementType type, bool interleaved>
void rotate_one_block(const Heads& heads) {
  rotate_in_registers<Block<Lanes, type, interleaved>, element_size(type), 1, Store::plain>(heads, 0);
  copy_rests<element_size(type)>(heads);
}

// Fewer pairs than any block has: through a block of its own.
template <class B, int64_t size, bool interleaved>
void rotate_few_pairs(const Heads& heads) {
  constexpr int64_t apart = B::pairs * size;
  const int64_t pairs = heads.pairs;
  const auto *cos = static_cast<const typename B::Factor*>(heads.cos),
             *sin = static_cast<const typename B::Factor*>(heads.sin);
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
    copy_rest<size>(heads, in, out);
  }
}

// The widest lanes that fill a block; streaming, which is for whole lines of memory, is asked of the widest ones only.
template <class Lanes, ElementType type, bool interleaved, bool widest>
inline RotateHeads choose_rotate_heads(int64_t pairs, int64_t stream_alignment) {
  using B = Block<Lanes, type, interleaved>;
  if (pairs < B::pairs) {
    if constexpr (Lanes::narrowest)
      return rotate_few_pairs<B, element_size(type), interleaved>;
    else
      return choose_rotate_heads<typename Lanes::Narrower, type, interleaved, false>(pairs, 0);
  }
  if constexpr (!widest) {
    if (pairs == B::pairs) return rotate_one_block<Lanes, type, interleaved>;
  } else if (pairs % B::pairs == 0) {
    if (stream_alignment >= B::bytes) return rotate_whole_blocks<Lanes, type, interleaved, Store::streamed>;
    if (stream_alignment) return rotate_whole_blocks<Lanes, type, interleaved, Store::streamed_in_parts>;
    return rotate_whole_blocks<Lanes, type, interleaved, Store::plain>;
  }
  return rotate_in_blocks<Lanes, type, interleaved>;
}

// `stream_alignment`: 0 for plain stores.
template <class Lanes>
inline RotateHeads choose_rotate_heads(ElementType type, bool interleaved, int64_t pairs, int64_t stream_alignment) {
  return with_type(type, [&](auto constant) {
    constexpr ElementType known = decltype(constant)::value;
    return interleaved ? choose_rotate_heads<Lanes, known, true, true>(pairs, stream_alignment)
                       : choose_rotate_heads<Lanes, known, false, true>(pairs, stream_alignment);
  });
}

}  // namespace yarncore::cpu
