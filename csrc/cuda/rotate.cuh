// The kernel of the GPU. What a thread of a block does is three functions of (block, thread) over plain pointers, which
// run on the host as well: tests run every block and thread of them there. Between them the threads of a block wait for
// each other.
//
//   copy_words   once: the turns, which are parameters of the kernel, into shared memory
//   make_rows    cos and sin of the block's tokens into shared memory, once for all heads of q and k
//   turn_heads   the accesses of those heads, each read, turned and written by one thread
//
// Templates over the request: KernelRequest, or PagedKernelRequest, whose rows and places paged.cuh makes.
#pragma once

#include "../rotation_math.h"
#include "elements.cuh"
#include "kernel_request.h"

namespace yarncore::cuda {

constexpr uint32_t threads_per_block = 256;

// One lane a thread: what rotation_math.h asks of its Ops.
struct ThreadLane {
  using U64 = uint64_t;
  using F64 = double;
  YARNCORE_HOST_DEVICE static uint64_t u64(uint64_t value) { return value; }
  YARNCORE_HOST_DEVICE static double f64(double value) { return value; }
  YARNCORE_HOST_DEVICE static uint64_t mul32(uint64_t a, uint64_t b) {
    return static_cast<uint64_t>(static_cast<uint32_t>(a)) * static_cast<uint32_t>(b);
  }
  YARNCORE_HOST_DEVICE static double of_signed(uint64_t bits) {
    return static_cast<double>(static_cast<int64_t>(bits));
  }
  YARNCORE_HOST_DEVICE static double of_word(uint64_t word) { return static_cast<double>(static_cast<uint32_t>(word)); }
  YARNCORE_HOST_DEVICE static double where(uint64_t condition, double yes, double no) {
    return condition != 0 ? yes : no;
  }
  YARNCORE_HOST_DEVICE static uint64_t as_u64(double value) { return bits_as<uint64_t>(value); }
  YARNCORE_HOST_DEVICE static double as_f64(uint64_t bits) { return bits_as<double>(bits); }
};

// The shared memory of a block.
template <class R>
struct Shared {
  using Place = typename PlaceOf<R::paged>::Type;
  Place* places;
  float *cos, *sin;
  uint32_t* words;
  uint32_t row_stride;

  YARNCORE_HOST_DEVICE Shared(const R& request, char* memory) : row_stride(request.row_stride_in_floats()) {
    cos = reinterpret_cast<float*>(memory);
    sin = cos + request.rows() * row_stride;
    places = reinterpret_cast<Place*>(sin + request.rows() * row_stride);
    words = reinterpret_cast<uint32_t*>(places + request.tokens_per_block);
  }
};

template <class R>
YARNCORE_HOST_DEVICE inline void copy_words(const R& request, uint32_t thread, char* memory) {
  uint32_t* to = Shared<R>(request, memory).words;
  for (uint32_t n = thread; n < request.shared_words(); n += threads_per_block) to[n] = request.words[n];
}

// a / b and a % b of what is seldom beyond 32 bits, where a division costs a quarter.
YARNCORE_HOST_DEVICE inline uint64_t divide(uint64_t a, uint64_t b, uint64_t& rest) {
  if ((a | b) >> 32 == 0) {
    const uint32_t quotient = static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
    rest = static_cast<uint32_t>(a) - quotient * static_cast<uint32_t>(b);
    return quotient;
  }
  const uint64_t quotient = a / b;
  rest = a - quotient * b;
  return quotient;
}

struct Magnitude {
  uint64_t value;
  bool negative;
};

// T: KernelRequest or KernelTurns.
template <class T>
YARNCORE_HOST_DEVICE inline Magnitude position_at(const T& turns, int64_t index, const char* from) {
  int64_t value;
  if (turns.position_kind == PositionKind::arange)
    value = turns.offset + index;
  else if (turns.position_kind == PositionKind::int32)
    value = *reinterpret_cast<const int32_t*>(from);
  else
    value = *reinterpret_cast<const int64_t*>(from);
  return {value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value), value < 0};
}

YARNCORE_HOST_DEVICE inline Phase<uint64_t> phase_at(const Magnitude& position, const uint32_t* words, uint32_t pairs) {
  const uint64_t f0 = words[0], f1 = words[pairs], f2 = words[2 * pairs], f3 = words[3 * pairs];
  const uint64_t m0 = position.value & 0xffffffffu, m1 = position.value >> 32;
  return m1 == 0 ? phase_of<ThreadLane>(m0, f0, f1, f2, f3) : phase_of<ThreadLane>(m0, m1, f0, f1, f2, f3);
}

// cos and sin of one pair of a token, rounded once; and those of its queries, where they are scaled.
template <class R>
YARNCORE_HOST_DEVICE inline void store_row(const R& request, const Shared<R>& shared, uint32_t local, uint32_t pair,
                                           const Phase<uint64_t>& phase, double factor, bool back, double scale) {
  const CosSin<double> turned = cos_sin_of<ThreadLane, DoubleToFloat>(phase);
  for (uint32_t row = local; row < request.rows(); row += request.tokens_per_block) {
    if (row != local) factor = factor * scale;
    shared.cos[row * shared.row_stride + pair] = static_cast<float>(turned.cos * factor);
    shared.sin[row * shared.row_stride + pair] = static_cast<float>(turned.sin * (back ? -factor : factor));
  }
}

template <class R>
YARNCORE_HOST_DEVICE inline double query_scale_of(const R& request, const Magnitude& position) {
  if (request.query_scale.kind == QueryScale::none) return 1.0;
  return query_scale_at(request.query_scale, position.value, position.negative);
}

// The place of a token and the row of one of its pairs.
YARNCORE_HOST_DEVICE inline void make_row_of_pair(const KernelRequest& request, const Shared<KernelRequest>& shared,
                                                  uint32_t local, uint32_t pair, uint64_t token) {
  uint64_t cell = token;
  bool skipped = false;
  if (request.slots) {
    const int64_t slot = request.slots[token];
    skipped = slot < 0 || slot >= request.slot_limit;
    cell = skipped ? 0 : static_cast<uint64_t>(slot);
  }
  int64_t position_offset = 0, row_offset = 0, last = 0;
  int64_t place[4] = {0, 0, 0, 0};
  for (int axis = request.token_axes - 1; axis >= 0; --axis) {
    uint64_t rest;
    cell = divide(cell, static_cast<uint64_t>(request.extent[axis]), rest);
    const int64_t index = static_cast<int64_t>(rest);
    if (axis == request.token_axes - 1) last = index;
    position_offset += index * request.position_stride[axis];
    row_offset += index * request.row_stride[axis];
    if (pair == 0) {
      place[0] += index * request.operands[0].in_token[axis];
      place[1] += index * request.operands[1].in_token[axis];
      place[2] += index * request.operands[0].out_token[axis];
      place[3] += index * request.operands[1].out_token[axis];
    }
  }
  if (request.slots) {
    position_offset = static_cast<int64_t>(token) * request.position_stride[0];
    row_offset = static_cast<int64_t>(token) * request.row_stride[0];
  }
  const int64_t row = request.row_index ? *reinterpret_cast<const int32_t*>(request.row_index + row_offset) : 0;
  const double factor = request.table ? request.factors[row] : request.factor;
  const char* from = request.positions + position_offset;
  const uint32_t section = request.sections > 1 ? request.pair_section[pair] : 0;
  const Magnitude position = position_at(request, last, from + section * request.section_stride);
  const double scale = query_scale_of(request, position);
  if (pair == 0) {
    bool origin = factor == 1.0;
    for (uint32_t section = 0; section < request.sections; ++section)
      origin = origin && position_at(request, last, from + section * request.section_stride).value == 0;
    TokenPlace& to = shared.places[local];
    to.in[0] = place[0], to.in[1] = place[1], to.out[0] = place[2], to.out[1] = place[3];
    to.scale = scale;
    to.state = skipped ? TokenPlace::skipped : origin ? TokenPlace::copied : TokenPlace::turned;
  }
  const uint32_t* words = (request.table ? request.table + row * 5 * request.pairs : shared.words) + pair;
  store_row(request, shared, local, pair, phase_at(position, words, request.pairs), factor,
            position.negative != request.conjugate, scale);
}

template <class R>
YARNCORE_HOST_DEVICE inline void make_rows(const R& request, int64_t block, uint32_t thread, char* memory) {
  const Shared<R> shared(request, memory);
  const int64_t first = block / request.parts * request.tokens_per_block;
  for (uint32_t n = thread; n < request.tokens_per_block * request.pairs; n += threads_per_block) {
    const uint32_t local = n / request.pairs;
    if (first + local < request.tokens)
      make_row_of_pair(request, shared, local, n - local * request.pairs, static_cast<uint64_t>(first + local));
  }
}

// As many elements as one access reads.
template <ElementType type, int bytes>
struct alignas(bytes) Access {
  using Raw = typename Element<type>::Raw;
  static constexpr int count = bytes / static_cast<int>(sizeof(Raw));
  Raw raw[count];

  YARNCORE_HOST_DEVICE static Access at(const char* from) { return *reinterpret_cast<const Access*>(from); }
  YARNCORE_HOST_DEVICE void to(char* where) const { *reinterpret_cast<Access*>(where) = *this; }
};

// Neighbouring numbers of a row, in as few accesses as 16 bytes allow.
template <int count>
struct alignas(count >= 4 ? 16 : 4 * count) Factors {
  float value[count];
  YARNCORE_HOST_DEVICE static Factors at(const float* from) { return *reinterpret_cast<const Factors*>(from); }
};

template <ElementType type>
YARNCORE_HOST_DEVICE inline void turn(typename Element<type>::Raw& a, typename Element<type>::Raw& b, float c,
                                      float s) {
  float y0, y1;
  rotate_pair(Element<type>::load(a), Element<type>::load(b), c, s, y0, y1);
  a = Element<type>::store(y0);
  b = Element<type>::store(y1);
}

// Access `number` of a head: members that lie together in one access, or two accesses to the first and the second
// members of some pairs.
template <ElementType type, int bytes, bool interleaved>
YARNCORE_HOST_DEVICE inline void turn_access(const KernelOperand& x, const char* in, char* out, uint32_t number,
                                             uint32_t pairs, bool copied, const float* cos, const float* sin,
                                             float scale) {
  using A = Access<type, bytes>;
  if (number >= x.turning) {
    if (x.in_place && scale == 1.0f) return;
    const int64_t element = number < x.behind ? 2 * int64_t{pairs} + int64_t{number - x.turning} * A::count
                                              : int64_t{number - x.behind} * A::count - int64_t{x.before};
    A v = A::at(in + element * x.in_element);
    if (scale != 1.0f)
      for (int i = 0; i < A::count; ++i) v.raw[i] = Element<type>::store(Element<type>::load(v.raw[i]) * scale);
    v.to(out + element * x.out_element);
  } else if constexpr (interleaved && A::count > 1) {
    const int64_t element = int64_t{number} * A::count;
    using F = Factors<A::count / 2>;
    A v = A::at(in + element * x.in_element);
    const F c = F::at(cos + element / 2), s = F::at(sin + element / 2);
    if (!copied)
      for (int i = 0; i < A::count / 2; ++i) turn<type>(v.raw[2 * i], v.raw[2 * i + 1], c.value[i], s.value[i]);
    v.to(out + element * x.out_element);
  } else {
    const int64_t pair = int64_t{number} * A::count;
    const int64_t first = interleaved ? 2 * pair : pair, second = interleaved ? first + 1 : first + pairs;
    using F = Factors<A::count>;
    A a = A::at(in + first * x.in_element), b = A::at(in + second * x.in_element);
    const F c = F::at(cos + pair), s = F::at(sin + pair);
    if (!copied)
      for (int i = 0; i < A::count; ++i) turn<type>(a.raw[i], b.raw[i], c.value[i], s.value[i]);
    a.to(out + first * x.out_element);
    b.to(out + second * x.out_element);
  }
}

// The operand that a task of a token belongs to, and the number of the task among those of the operand.
template <class R>
YARNCORE_HOST_DEVICE inline const KernelOperand& operand_of_task(const R& request, uint32_t& task, uint32_t& n) {
  const uint32_t of_first = request.operands[0].heads * request.operands[0].accesses;
  n = task >= of_first;
  if (n) task -= of_first;
  if constexpr (R::paged) {
    const uint32_t of_second = request.operands[1].heads * request.operands[1].accesses;
    if (n && task >= of_second) {
      task -= of_second;
      n = 2;
      return request.values;
    }
  }
  return request.operands[n];
}

template <ElementType type, int bytes, bool interleaved, class R>
YARNCORE_HOST_DEVICE inline void turn_heads(const R& request, int64_t block, uint32_t thread, char* memory) {
  const Shared<R> shared(request, memory);
  const int64_t group = block / request.parts, first_token = group * request.tokens_per_block;
  const int64_t left = request.tokens - first_token;
  const uint32_t tokens = left < request.tokens_per_block ? static_cast<uint32_t>(left) : request.tokens_per_block;
  const uint32_t part = static_cast<uint32_t>(block - group * request.parts);
  const uint32_t all = tokens * request.tasks, of_part = (all + request.parts - 1) / request.parts;
  const uint32_t end = (part + 1) * of_part < all ? (part + 1) * of_part : all;
  for (uint32_t task = part * of_part + thread; task < end; task += threads_per_block) {
    const uint32_t local = tokens == 1 ? 0 : task / request.tasks;
    uint32_t rest = task - local * request.tasks, n;
    const auto& place = shared.places[local];
    const KernelOperand& x = operand_of_task(request, rest, n);
    const bool scaled = x.queries && place.scale != 1.0, copied = place.state == TokenPlace::copied && !scaled;
    if (place.state == TokenPlace::skipped || (copied && x.in_place)) continue;
    if constexpr (R::paged)
      if (place.absent >> n & 1) continue;
    const uint32_t head = rest / x.accesses, number = rest - head * x.accesses;
    const uint32_t row = (local + (scaled ? request.tokens_per_block : 0)) * shared.row_stride;
    turn_access<type, bytes, interleaved>(
        x, x.in + place.in[n] + head * x.in_head, x.out + place.out[n] + head * x.out_head, number, request.pairs,
        copied, shared.cos + row, shared.sin + row, scaled ? static_cast<float>(place.scale) : 1.0f);
  }
}

#ifdef __CUDACC__
template <ElementType type, int bytes, bool interleaved, class R = KernelRequest>
__global__ void __launch_bounds__(threads_per_block, 4) rotate(const __grid_constant__ R request) {
  extern __shared__ __align__(16) char memory[];
  copy_words(request, threadIdx.x, memory);
  __syncthreads();
  for (int64_t block = blockIdx.x; block < request.blocks; block += gridDim.x) {
    make_rows(request, block, threadIdx.x, memory);
    __syncthreads();
    turn_heads<type, bytes, interleaved>(request, block, threadIdx.x, memory);
    __syncthreads();
  }
}
#endif

}  // namespace yarncore::cuda
