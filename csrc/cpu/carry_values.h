// Values that go along with keys: their bits are copied.
// `static inline`: each unit keeps its own copy.
#pragma once

#include <cstdint>

#include "../request.h"
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

static inline void carry_token(const Tokens& values, int64_t size, const Token& token) {
  const char* in = values.in + token.in[values_place];
  char* out = values.out + token.out[values_place];
  if (in == out) return;
  const int64_t bytes = values.head_dim * size;
  const bool contiguous = values.in_element == size && values.out_element == size;
  if (contiguous && (values.heads == 1 || (values.in_head == bytes && values.out_head == bytes))) {
    __builtin_memcpy(out, in, static_cast<size_t>(values.heads * bytes));
    return;
  }
  for (int64_t head = 0; head < values.heads; ++head, in += values.in_head, out += values.out_head)
    contiguous ? static_cast<void>(__builtin_memcpy(out, in, static_cast<size_t>(bytes)))
               : copy_scattered(in, values.in_element, out, values.out_element, values.head_dim, size);
}

// Those of the first `count` tokens of the scratch.
static inline void carry_values(const Request& request, const Token* tokens, int64_t count) {
  if (!request.paged || !request.paged->values.in) return;
  for (int64_t n = 0; n < count; ++n)
    if (!tokens[n].absent[values_place]) carry_token(request.paged->values, request.paged->value_size, tokens[n]);
}

}  // namespace yarncore::cpu
