// Where a token stands and what its position is: scalar, exact, the same for every instruction set.
// `static inline`: each unit keeps its own copy.
#pragma once

#include <cstdint>

#include "../request.h"

namespace yarncore::cpu {

// |position| as magnitude * 2^exponent; the exponent is 0 for integers.
struct Position {
  uint64_t magnitude = 0;
  int exponent = 0;
  bool negative = false;
};

static inline bool same_position(const Position& a, const Position& b) {
  return a.magnitude == b.magnitude && a.exponent == b.exponent && a.negative == b.negative;
}

static inline Position of_signed(int64_t value) {
  return {value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value), 0, value < 0};
}

static inline Position arange_position(int64_t offset, int64_t index) { return of_signed(offset + index); }

// A finite double is m * 2^e exactly. A float32 position has been widened, which is exact too.
static inline Position of_double(double value) {
  uint64_t bits;
  __builtin_memcpy(&bits, &value, 8);
  const int biased = static_cast<int>(bits >> 52) & 0x7ff;
  const uint64_t fraction = bits & ((uint64_t{1} << 52) - 1);
  const bool negative = bits >> 63;
  if (biased == 0) return {fraction, fraction ? -1074 : 0, negative};
  return {fraction | uint64_t{1} << 52, biased - 1075, negative};
}

template <class T>
static inline T read(const char* from) {
  T value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

static inline Position read_position(PositionKind kind, const char* from) {
  switch (kind) {
    case PositionKind::int8: return of_signed(read<int8_t>(from));
    case PositionKind::int16: return of_signed(read<int16_t>(from));
    case PositionKind::int32: return of_signed(read<int32_t>(from));
    case PositionKind::int64: return of_signed(read<int64_t>(from));
    case PositionKind::uint8: return {read<uint8_t>(from), 0, false};
    case PositionKind::uint16: return {read<uint16_t>(from), 0, false};
    case PositionKind::uint32: return {read<uint32_t>(from), 0, false};
    case PositionKind::uint64: return {read<uint64_t>(from), 0, false};
    case PositionKind::float32: return of_double(read<float>(from));
    case PositionKind::float64: return of_double(read<double>(from));
    case PositionKind::arange: break;
  }
  return {};
}

// How many positions a token has.
static inline int64_t section_count(const Request& request) {
  if (!request.pair_section) return 1;
  int64_t count = 0;
  for (int64_t i = 0; i < request.turns.pairs; ++i)
    if (request.pair_section[i] >= count) count = request.pair_section[i] + 1;
  return count;
}

// The index of a token along each token axis.
struct TokenIndex {
  int64_t at[max_token_axes] = {};

  TokenIndex(const Request& request, int64_t token) {
    if (!request.slots && request.token_axes) decode(request, token);
  }
  void decode(const Request& request, int64_t token) {
    for (int axis = request.token_axes - 1; axis >= 0; --axis) {
      at[axis] = token % request.extent[axis];
      token /= request.extent[axis];
    }
  }
  void advance(const Request& request) {
    if (request.slots) return;
    for (int axis = request.token_axes - 1; axis >= 0; --axis) {
      if (++at[axis] < request.extent[axis]) return;
      at[axis] = 0;
    }
  }
};

// Byte offset of a token's position or row: by its axes, or by its slot.
static inline int64_t offset_of(const Request& request, const int64_t* at, int64_t token, const int64_t* stride) {
  if (request.slots) return token * stride[0];
  int64_t offset = 0;
  for (int axis = 0; axis < request.token_axes; ++axis) offset += at[axis] * stride[axis];
  return offset;
}

}  // namespace yarncore::cpu
