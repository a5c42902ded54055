// Values that go along with keys: their bits are copied. Templates over the Lanes of an instruction set, or
// `static inline`: each unit keeps its own copy.
#pragma once

#include <cstdint>

#include "../request.h"
#include "place_tokens.h"
#include "scratch.h"

namespace yarncore::cpu {

// Elements anywhere, of 1, 2, 4, 8 or 16 bytes.
static inline void copy_scattered(const char* in, int64_t in_stride, char* out, int64_t out_stride, int64_t count,
                                  int64_t size) {
  for (int64_t i = 0; i < count; ++i, in += in_stride, out += out_stride) switch (size) {
      case 1: __builtin_memcpy(out, in, 1); break;
      case 2: __builtin_memcpy(out, in, 2); break;
      case 4: __builtin_memcpy(out, in, 4); break;
      case 8: __builtin_memcpy(out, in, 8); break;
      default: __builtin_memcpy(out, in, 16);
    }
}

// Past the caches where that is asked for and whole lines are written; what lies `ahead` bytes on is fetched.
template <class Lanes>
inline void copy_bytes(const char* in, char* out, int64_t bytes, bool streamed, int64_t ahead) {
  using Register = typename Lanes::U64;
  constexpr int64_t line = 64, size = sizeof(Register);
  static_assert(line % size == 0, "a register is written at its alignment");
  if (!streamed || (reinterpret_cast<uintptr_t>(out) | static_cast<uintptr_t>(bytes)) % line != 0) {
    __builtin_memcpy(out, in, static_cast<size_t>(bytes));
    return;
  }
  for (int64_t at = 0; at < bytes; at += line) {
    if (ahead) __builtin_prefetch(in + at + ahead, 0);
    for (int64_t part = at; part < at + line; part += size)
      Lanes::stream(out + part, Lanes::template load<Register>(in + part));
  }
}

template <class Lanes>
inline void carry_token(const Tokens& values, int64_t size, const Token& token, bool streamed) {
  const char* in = values.in + token.in[values_place];
  char* out = values.out + token.out[values_place];
  if (in == out) return;
  const int64_t bytes = values.head_dim * size, ahead = token.ahead[values_place];
  const bool contiguous = values.in_element == size && values.out_element == size;
  if (contiguous && (values.heads == 1 || (values.in_head == bytes && values.out_head == bytes)))
    return copy_bytes<Lanes>(in, out, values.heads * bytes, streamed, ahead);
  for (int64_t head = 0; head < values.heads; ++head, in += values.in_head, out += values.out_head)
    contiguous ? copy_bytes<Lanes>(in, out, bytes, streamed, ahead)
               : copy_scattered(in, values.in_element, out, values.out_element, values.head_dim, size);
}

// Those of the first `count` tokens of the scratch.
template <class Lanes>
inline void carry_values(const Part& part, int64_t count) {
  const Paged* paged = part.request.paged;
  if (!paged || !paged->values.in) return;
  for (int64_t n = 0; n < count; ++n) {
    const Token& token = part.scratch.tokens[n];
    if (!token.absent[values_place])
      carry_token<Lanes>(paged->values, paged->value_size, token, part.schedule.stream_alignment != 0);
  }
}

}  // namespace yarncore::cpu
