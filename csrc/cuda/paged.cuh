// Places and rows of tokens that are on their way out of pools or into them: what the kernel of rotate.cuh needs of a
// PagedKernelRequest.
#pragma once

#include "rotate.cuh"

namespace yarncore::cuda {

// The slot of a token; negative where it has none.
YARNCORE_HOST_DEVICE inline int64_t slot_of(const Pool& pool, uint64_t token) {
  if (!pool.slots) return -1;
  const int64_t slot = pool.slots[token];
  return slot < pool.tokens() ? slot : -1;
}

// Byte offset of a slot in an array of the pool, by its strides.
YARNCORE_HOST_DEVICE inline int64_t offset_in(const Pool& pool, int64_t slot, const int64_t* strides) {
  uint64_t cell = static_cast<uint64_t>(slot), rest;
  int64_t offset = 0;
  for (int axis = pool.axes - 1; axis >= 0; --axis) {
    cell = divide(cell, static_cast<uint64_t>(pool.extent[axis]), rest);
    offset += static_cast<int64_t>(rest) * strides[axis];
  }
  return offset;
}

// Byte offset of a token in an array that has the axes of the tokens.
YARNCORE_HOST_DEVICE inline int64_t offset_of(const KernelRequest& request, uint64_t token, const int64_t* strides) {
  uint64_t cell = token, rest;
  int64_t offset = 0;
  for (int axis = request.token_axes - 1; axis >= 0; --axis) {
    cell = divide(cell, static_cast<uint64_t>(request.extent[axis]), rest);
    offset += static_cast<int64_t>(rest) * strides[axis];
  }
  return offset;
}

YARNCORE_HOST_DEVICE inline void place_token(const PagedKernelRequest& request, uint64_t token, bool origin,
                                             PagedTokenPlace& to) {
  const int64_t from = slot_of(request.source, token), into = slot_of(request.target, token);
  to.absent = 0;
  to.state = origin ? TokenPlace::copied : TokenPlace::turned;
  for (int n = 0; n < 3; ++n) {
    const KernelOperand& x = n == 2 ? request.values : request.operands[n];
    if (x.heads == 0) continue;
    if ((request.from_pool[n] && from < 0) || (request.to_pool[n] && into < 0)) {
      to.absent |= 1u << n;
      continue;
    }
    to.in[n] =
        request.from_pool[n] ? offset_in(request.source, from, x.in_token) : offset_of(request, token, x.in_token);
    to.out[n] =
        request.to_pool[n] ? offset_in(request.target, into, x.out_token) : offset_of(request, token, x.out_token);
  }
}

// What turns one pair of a token.
struct TurnOfPair {
  Phase<uint64_t> phase;
  bool back;
  double factor;
  double scale;  // of queries
};

YARNCORE_HOST_DEVICE inline Phase<uint64_t> signed_phase(const TurnOfPair& turn) {
  return turned_back<ThreadLane>(turn.phase, turn.back ? ~uint64_t{0} : 0);
}

// T: KernelRequest or KernelTurns. `words`: those of row 0, where there is no table.
template <class T>
YARNCORE_HOST_DEVICE inline TurnOfPair turn_of_pair(const PagedKernelRequest& request, const T& turns, double factor,
                                                    const uint32_t* words, uint32_t pair, uint64_t token) {
  const int64_t row =
      turns.row_index ? *reinterpret_cast<const int32_t*>(turns.row_index + offset_of(request, token, turns.row_stride))
                      : 0;
  const uint32_t section = request.sections > 1 ? request.pair_section[pair] : 0;
  const int64_t last = request.token_axes
                           ? static_cast<int64_t>(token % static_cast<uint64_t>(request.extent[request.token_axes - 1]))
                           : 0;
  const char* from = turns.positions + offset_of(request, token, turns.position_stride);
  const Magnitude position = position_at(turns, last, from + section * turns.section_stride);
  if (turns.table) words = turns.table + row * 5 * request.pairs, factor = turns.factors[row];
  return {phase_at(position, words + pair, request.pairs), position.negative != turns.conjugate, factor,
          query_scale_of(request, position)};
}

// Whether all positions of a token are 0.
template <class T>
YARNCORE_HOST_DEVICE inline bool at_origin(const PagedKernelRequest& request, const T& turns, uint64_t token) {
  const char* from = turns.positions + offset_of(request, token, turns.position_stride);
  const int64_t last = request.token_axes
                           ? static_cast<int64_t>(token % static_cast<uint64_t>(request.extent[request.token_axes - 1]))
                           : 0;
  bool origin = true;
  for (uint32_t section = 0; section < request.sections; ++section)
    origin = origin && position_at(turns, last, from + section * turns.section_stride).value == 0;
  return origin;
}

YARNCORE_HOST_DEVICE inline void make_row_of_pair(const PagedKernelRequest& request,
                                                  const Shared<PagedKernelRequest>& shared, uint32_t local,
                                                  uint32_t pair, uint64_t token) {
  const KernelRequest& first = request;
  TurnOfPair turn = turn_of_pair(request, first, request.factor, shared.words, pair, token);
  if (request.other.table) {
    const TurnOfPair more = turn_of_pair(request, request.other, 1.0, nullptr, pair, token);
    turn = {sum_of<ThreadLane>(signed_phase(turn), signed_phase(more)), false, turn.factor * more.factor, 1.0};
  }
  if (pair == 0) {
    const bool origin = turn.factor == 1.0 && at_origin(request, first, token) &&
                        (!request.other.table || at_origin(request, request.other, token));
    place_token(request, token, origin, shared.places[local]);
    shared.places[local].scale = turn.scale;
  }
  store_row(request, shared, local, pair, turn.phase, turn.factor, turn.back, turn.scale);
}

}  // namespace yarncore::cuda
