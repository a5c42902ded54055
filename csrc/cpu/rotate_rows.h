// The loop of the CPU: for each token make one row of cos and sin, then turn every head of q and k by it.
// Templates over the Lanes of an instruction set; instantiated once in each unit of cpu/isa/.
#pragma once

#include <cstdint>

#include "../request.h"
#include "../rotation_math.h"
#include "dispatch.h"
#include "fractional_phase.h"
#include "vector_lanes.h"

namespace yarncore::cpu {

// Where a thread keeps the row it works with. `capacity` pairs: all of them, rounded up to whole registers.
template <class Lanes>
struct Row {
  int64_t capacity;
  float *cos32, *sin32;
  double *cos64, *sin64;
  uint64_t *magnitude_low, *magnitude_high, *negate;  // of each pair, where pairs have positions of their own
  uint64_t *high, *middle, *low;                      // phases of fractional positions
  double* tiny;                                       // angles of phases that are almost 0, else 0
  char* head;                                         // one head, contiguous

  Row(const Request& request, char* scratch) : capacity(row_capacity(request)) {
    char* next = scratch;
    const auto take = [&next, this](int64_t bytes_each) {
      char* taken = next;
      next += bytes_each * capacity;
      return taken;
    };
    cos64 = reinterpret_cast<double*>(take(8)), sin64 = reinterpret_cast<double*>(take(8));
    magnitude_low = reinterpret_cast<uint64_t*>(take(8)), magnitude_high = reinterpret_cast<uint64_t*>(take(8));
    negate = reinterpret_cast<uint64_t*>(take(8));
    high = reinterpret_cast<uint64_t*>(take(8)), middle = reinterpret_cast<uint64_t*>(take(8));
    low = reinterpret_cast<uint64_t*>(take(8)), tiny = reinterpret_cast<double*>(take(8));
    cos32 = reinterpret_cast<float*>(take(4)), sin32 = reinterpret_cast<float*>(take(4));
    head = next;
  }
};

// cos and sin of one block of lanes, times the factor, rounded once, into the row.
template <class Lanes, class Coefficients>
inline void store_cos_sin(const Row<Lanes>& row, int64_t i, Phase<typename Lanes::U64> phase,
                          typename Lanes::U64 negate, double factor) {
  const auto turned = cos_sin_of<Lanes, Coefficients>(phase, negate);
  const auto c = turned.cos * Lanes::f64(factor), s = turned.sin * Lanes::f64(factor);
  if constexpr (Coefficients::terms == DoubleToDouble::terms) {
    Lanes::store(row.cos64 + i, c);
    Lanes::store(row.sin64 + i, s);
  } else {
    Lanes::store_rounded(row.cos32 + i, c);
    Lanes::store_rounded(row.sin32 + i, s);
  }
}

// sin x = x for the tiny angles of fractional positions; their cos is 1 already.
template <class Lanes, class Coefficients>
inline void store_tiny_angles(const Row<Lanes>& row, int64_t pairs, double factor) {
  for (int64_t i = 0; i < pairs; ++i) {
    if (row.tiny[i] == 0) continue;
    if constexpr (Coefficients::terms == DoubleToDouble::terms)
      row.sin64[i] = row.tiny[i] * factor;
    else
      row.sin32[i] = static_cast<float>(row.tiny[i] * factor);
  }
}

template <class Lanes, class Coefficients>
inline void make_row(const Request& request, const Row<Lanes>& row, const uint32_t* words, double factor,
                     const Position* positions) {
  using U64 = typename Lanes::U64;
  const int64_t pairs = request.turns.pairs;
  const bool fractional = request.position_kind >= PositionKind::float32;
  if (fractional) {
    fractional_row(words, pairs, request.pair_section, positions, row.high, row.middle, row.low, row.negate,
                   row.tiny);
  } else if (request.pair_section) {
    for (int64_t i = 0; i < pairs; ++i) {
      const Position& position = positions[request.pair_section[i]];
      row.magnitude_low[i] = position.magnitude & 0xffffffffu;
      row.magnitude_high[i] = position.magnitude >> 32;
      row.negate[i] = position.negative ? uint64_t{1} << 63 : 0;
    }
  }
  const U64 m0 = Lanes::u64(positions[0].magnitude & 0xffffffffu), m1 = Lanes::u64(positions[0].magnitude >> 32);
  const U64 negate = Lanes::u64(positions[0].negative ? uint64_t{1} << 63 : 0);
  const bool below_2_32 = positions[0].magnitude >> 32 == 0;
  for (int64_t i = 0; i < pairs; i += Lanes::wide) {
    if (fractional) {
      const Phase<U64> phase = {Lanes::template load<U64>(row.high + i), Lanes::template load<U64>(row.middle + i),
                                Lanes::template load<U64>(row.low + i)};
      store_cos_sin<Lanes, Coefficients>(row, i, phase, Lanes::template load<U64>(row.negate + i), factor);
      continue;
    }
    U64 f0, f1, f2, f3;
    if (i + Lanes::wide <= pairs) {
      f0 = Lanes::load_words(words + i), f1 = Lanes::load_words(words + pairs + i);
      f2 = Lanes::load_words(words + 2 * pairs + i), f3 = Lanes::load_words(words + 3 * pairs + i);
    } else {
      const int64_t left = pairs - i;
      f0 = Lanes::load_words_part(words + i, left), f1 = Lanes::load_words_part(words + pairs + i, left);
      f2 = Lanes::load_words_part(words + 2 * pairs + i, left), f3 = Lanes::load_words_part(words + 3 * pairs + i, left);
    }
    if (request.pair_section) {
      const auto phase = phase_of<Lanes>(Lanes::template load<U64>(row.magnitude_low + i),
                                         Lanes::template load<U64>(row.magnitude_high + i), f0, f1, f2, f3);
      store_cos_sin<Lanes, Coefficients>(row, i, phase, Lanes::template load<U64>(row.negate + i), factor);
    } else if (below_2_32) {
      store_cos_sin<Lanes, Coefficients>(row, i, phase_of<Lanes>(m0, f0, f1, f2, f3), negate, factor);
    } else {
      store_cos_sin<Lanes, Coefficients>(row, i, phase_of<Lanes>(m0, m1, f0, f1, f2, f3), negate, factor);
    }
  }
  if (fractional) store_tiny_angles<Lanes, Coefficients>(row, pairs, factor);
}

// One head whose elements are contiguous. The tail of the pairs goes through the same registers, partly filled.
template <class Lanes, ElementType type, bool interleaved>
inline void rotate_head(const char* in, char* out, const typename Elements<Lanes, type>::Factor* cos,
                        const typename Elements<Lanes, type>::Factor* sin, int64_t pairs, int64_t head_dim) {
  using E = Elements<Lanes, type>;
  using Stored = typename E::Stored;
  using Value = typename E::Value;
  constexpr int64_t size = element_size(type);
  constexpr int64_t step = sizeof(Value) / sizeof(typename E::Factor);
  const auto rotate = [&](Stored a, Stored b, int64_t i, Stored& c, Stored& d) {
    Value y0, y1;
    rotate_pair<Lanes>(E::widen(a), E::widen(b), Lanes::template load<Value>(cos + i),
                       Lanes::template load<Value>(sin + i), y0, y1);
    c = E::narrow(y0), d = E::narrow(y1);
  };
  int64_t i = 0;
  if constexpr (interleaved) {
    Stored a, b, c, d;
    for (; i + step <= pairs; i += step) {
      Lanes::split_pairs(Lanes::template load<Stored>(in + 2 * i * size),
                         Lanes::template load<Stored>(in + (2 * i + step) * size), a, b);
      rotate(a, b, i, c, d);
      Lanes::join_pairs(c, d, a, b);
      Lanes::store(out + 2 * i * size, a);
      Lanes::store(out + (2 * i + step) * size, b);
    }
    if (i < pairs) {
      const int64_t left = 2 * (pairs - i) * size, first = left < int64_t(sizeof a) ? left : int64_t(sizeof a);
      Lanes::split_pairs(Lanes::template load_part<Stored>(in + 2 * i * size, first),
                         Lanes::template load_part<Stored>(in + 2 * i * size + first, left - first), a, b);
      rotate(a, b, i, c, d);
      Lanes::join_pairs(c, d, a, b);
      Lanes::store_part(out + 2 * i * size, a, first);
      Lanes::store_part(out + 2 * i * size + first, b, left - first);
    }
  } else {
    const char* in1 = in + pairs * size;
    char* out1 = out + pairs * size;
    Stored c, d;
    for (; i + step <= pairs; i += step) {
      rotate(Lanes::template load<Stored>(in + i * size), Lanes::template load<Stored>(in1 + i * size), i, c, d);
      Lanes::store(out + i * size, c);
      Lanes::store(out1 + i * size, d);
    }
    if (i < pairs) {
      const int64_t left = (pairs - i) * size;
      rotate(Lanes::template load_part<Stored>(in + i * size, left),
             Lanes::template load_part<Stored>(in1 + i * size, left), i, c, d);
      Lanes::store_part(out + i * size, c, left);
      Lanes::store_part(out1 + i * size, d, left);
    }
  }
  if (in != out && 2 * pairs < head_dim)
    __builtin_memcpy(out + 2 * pairs * size, in + 2 * pairs * size, static_cast<size_t>((head_dim - 2 * pairs) * size));
}

template <class Lanes, int64_t size>
inline void copy_strided(const char* in, int64_t in_stride, char* out, int64_t out_stride, int64_t count) {
  for (int64_t i = 0; i < count; ++i, in += in_stride, out += out_stride) __builtin_memcpy(out, in, size);
}

// Lines of `bytes` that will be read 4 KiB later, but never beyond `end`: another thread may be writing there.
template <class Lanes>
inline void prefetch_ahead(const char* in, int64_t bytes, const char* end) {
  constexpr int64_t ahead = 4096, line = 64;
  if (in + ahead + bytes > end) return;
  for (int64_t offset = 0; offset < bytes; offset += line) __builtin_prefetch(in + ahead + offset, 1);
}

// All heads of a token, the row held in registers: for as many pairs as fill exactly `blocks` of them.
template <class Lanes, ElementType type, bool interleaved, int blocks>
inline void rotate_whole_heads(const Operand& x, const char* in, char* out,
                               const typename Elements<Lanes, type>::Factor* cos,
                               const typename Elements<Lanes, type>::Factor* sin, const char* end) {
  using E = Elements<Lanes, type>;
  using Stored = typename E::Stored;
  using Value = typename E::Value;
  constexpr int64_t bytes = sizeof(Stored);
  constexpr int64_t step = sizeof(Value) / sizeof(typename E::Factor);
  constexpr int64_t turning = 2 * blocks * bytes;
  const int64_t rest = x.head_dim * static_cast<int64_t>(element_size(type)) - turning;
  Value c[blocks], s[blocks];
  for (int b = 0; b < blocks; ++b) {
    c[b] = Lanes::template load<Value>(cos + b * step);
    s[b] = Lanes::template load<Value>(sin + b * step);
  }
  for (int64_t head = 0; head < x.heads; ++head, in += x.in_head, out += x.out_head) {
    if (end) prefetch_ahead<Lanes>(in, turning, end);
#pragma GCC unroll 8
    for (int b = 0; b < blocks; ++b) {
      const char *in0 = in + (interleaved ? 2 * b : b) * bytes, *in1 = interleaved ? in0 + bytes : in0 + blocks * bytes;
      char *out0 = out + (interleaved ? 2 * b : b) * bytes, *out1 = interleaved ? out0 + bytes : out0 + blocks * bytes;
      Stored a = Lanes::template load<Stored>(in0), d = Lanes::template load<Stored>(in1);
      if constexpr (interleaved) Lanes::split_pairs(Stored(a), Stored(d), a, d);
      Value y0, y1;
      rotate_pair<Lanes>(E::widen(a), E::widen(d), c[b], s[b], y0, y1);
      a = E::narrow(y0), d = E::narrow(y1);
      if constexpr (interleaved) Lanes::join_pairs(Stored(a), Stored(d), a, d);
      Lanes::store(out0, a);
      Lanes::store(out1, d);
    }
    if (in != out && rest) __builtin_memcpy(out + turning, in + turning, static_cast<size_t>(rest));
  }
}

// `end`: where this thread's part of the operand ends, null where nothing shall be fetched ahead.
template <class Lanes, ElementType type, bool interleaved>
inline void rotate_heads(const Operand& x, const char* in, char* out, const Row<Lanes>& row, int64_t pairs,
                         const char* end) {
  constexpr int64_t size = element_size(type);
  const typename Elements<Lanes, type>::Factor *cos, *sin;
  if constexpr (type == ElementType::float64) {
    cos = row.cos64, sin = row.sin64;
  } else {
    cos = row.cos32, sin = row.sin32;
  }
  if (x.in_element == size && x.out_element == size) {
    constexpr int64_t step = sizeof(typename Elements<Lanes, type>::Value) / sizeof(*cos);
    switch (pairs == pairs / step * step ? pairs / step : 0) {
      case 1: return rotate_whole_heads<Lanes, type, interleaved, 1>(x, in, out, cos, sin, end);
      case 2: return rotate_whole_heads<Lanes, type, interleaved, 2>(x, in, out, cos, sin, end);
      case 4: return rotate_whole_heads<Lanes, type, interleaved, 4>(x, in, out, cos, sin, end);
      case 8: return rotate_whole_heads<Lanes, type, interleaved, 8>(x, in, out, cos, sin, end);
    }
    for (int64_t head = 0; head < x.heads; ++head, in += x.in_head, out += x.out_head) {
      if (end) prefetch_ahead<Lanes>(in, x.head_dim * size, end);
      rotate_head<Lanes, type, interleaved>(in, out, cos, sin, pairs, x.head_dim);
    }
    return;
  }
  // Elements that are not contiguous: gather a head, turn it, scatter it.
  for (int64_t head = 0; head < x.heads; ++head, in += x.in_head, out += x.out_head) {
    copy_strided<Lanes, size>(in, x.in_element, row.head, size, x.head_dim);
    rotate_head<Lanes, type, interleaved>(row.head, row.head, cos, sin, pairs, x.head_dim);
    copy_strided<Lanes, size>(row.head, size, out, x.out_element, x.head_dim);
  }
}

template <ElementType type>
struct TypeConstant {
  static constexpr ElementType value = type;
};

template <class Lanes>
inline void rotate_operand(const Request& request, const Operand& x, const char* in, char* out, const Row<Lanes>& row,
                           const char* end) {
  const int64_t pairs = request.turns.pairs;
  const auto run = [&](auto type_constant) {
    constexpr ElementType type = decltype(type_constant)::value;
    if (request.interleaved)
      rotate_heads<Lanes, type, true>(x, in, out, row, pairs, end);
    else
      rotate_heads<Lanes, type, false>(x, in, out, row, pairs, end);
  };
  switch (x.type) {
    case ElementType::float64: return run(TypeConstant<ElementType::float64>{});
    case ElementType::float32: return run(TypeConstant<ElementType::float32>{});
    case ElementType::bfloat16: return run(TypeConstant<ElementType::bfloat16>{});
    case ElementType::float16: return run(TypeConstant<ElementType::float16>{});
  }
}

// A token whose rotation is the identity is copied, bit for bit; in place nothing happens.
template <class Lanes>
inline void copy_operand(const Operand& x, const char* in, char* out) {
  if (in == out) return;
  for (int64_t head = 0; head < x.heads; ++head, in += x.in_head, out += x.out_head) {
    switch (element_size(x.type)) {
      case 8: copy_strided<Lanes, 8>(in, x.in_element, out, x.out_element, x.head_dim); break;
      case 4: copy_strided<Lanes, 4>(in, x.in_element, out, x.out_element, x.head_dim); break;
      default: copy_strided<Lanes, 2>(in, x.in_element, out, x.out_element, x.head_dim); break;
    }
  }
}

// Tokens [begin, end) of the request, in C order of the token axes (or of the slots).
template <class Lanes>
void rotate_tokens(const Request& request, int64_t begin, int64_t end, char* scratch) {
  const Row<Lanes> row(request, scratch);
  const TurnsTable& turns = request.turns;
  bool needs_float = false, needs_double = false;
  for (int n = 0; n < request.operand_count; ++n)
    (request.operands[n].type == ElementType::float64 ? needs_double : needs_float) = true;
  const int64_t sections = request.pair_section ? section_count(request) : 1;
  Position positions[max_sections], previous[max_sections];
  int32_t previous_row = -1;
  const char* part_end[2] = {};
  if (request.prefetch && !request.slots) {
    TokenIndex last(request, end - 1);
    for (int n = 0; n < request.operand_count; ++n) {
      const Operand& x = request.operands[n];
      part_end[n] = x.in + (x.heads - 1) * x.in_head + x.head_dim * x.in_element;
      for (int axis = 0; axis < request.token_axes; ++axis) part_end[n] += last.at[axis] * x.in_token[axis];
    }
  }
  TokenIndex index(request, begin);
  for (int64_t token = begin; token < end; ++token, index.advance(request)) {
    if (request.slots) {
      if (request.slots[token] < 0) continue;
      index.decode(request, request.slots[token]);
    }
    const int64_t* at = index.at;
    int64_t row_number = 0;
    if (request.row_index) {
      int32_t value;
      __builtin_memcpy(&value, request.row_index + offset_of(request, at, token, request.row_stride), 4);
      row_number = value;
    }
    const char* from = request.positions + offset_of(request, at, token, request.position_stride);
    bool origin = true, repeated = row_number == previous_row;
    for (int64_t section = 0; section < sections; ++section) {
      positions[section] = request.position_kind == PositionKind::arange
                               ? arange_position(request.offset, request.token_axes ? at[request.token_axes - 1] : 0)
                               : read_position(request.position_kind, from + section * request.section_stride);
      positions[section].negative ^= request.conjugate;
      origin &= positions[section].magnitude == 0;
      repeated &= same_position(positions[section], previous[section]);
    }
    const bool identity = origin && turns.factors[row_number] == 1.0;
    if (!identity && !repeated) {
      const uint32_t* words = turns.words + row_number * 5 * turns.pairs;
      const double factor = turns.factors[row_number];
      if (needs_float) make_row<Lanes, DoubleToFloat>(request, row, words, factor, positions);
      if (needs_double) make_row<Lanes, DoubleToDouble>(request, row, words, factor, positions);
      for (int64_t section = 0; section < sections; ++section) previous[section] = positions[section];
      previous_row = static_cast<int32_t>(row_number);
    }
    for (int n = 0; n < request.operand_count; ++n) {
      const Operand& x = request.operands[n];
      const char* in = x.in;
      char* out = x.out;
      for (int axis = 0; axis < request.token_axes; ++axis) {
        in += at[axis] * x.in_token[axis];
        out += at[axis] * x.out_token[axis];
      }
      if (identity)
        copy_operand<Lanes>(x, in, out);
      else
        rotate_operand<Lanes>(request, x, in, out, row, part_end[n]);
    }
  }
}

}  // namespace yarncore::cpu
