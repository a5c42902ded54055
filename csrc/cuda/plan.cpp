#include "plan.h"

#include <algorithm>

#include "../require.h"
#include "paged.cuh"

namespace yarncore::cuda {
namespace {

constexpr const char* why_values_have_no_kernel = "values whose elements do not make up whole accesses have no kernel";

bool stays_in_place(const Tokens& x) { return x.in == x.out && !x.from_pool && !x.to_pool; }

// Whether all that the addresses of tokens are made of is a multiple of `bytes`.
bool addresses_fit(const Request& request, const Tokens& x, int64_t bytes) {
  const auto multiple = [bytes](int64_t value) { return value % bytes == 0; };
  const auto side = [&](const char* memory, int64_t head, const int64_t* strides, const Pool* pool) {
    bool all = multiple(reinterpret_cast<intptr_t>(memory));
    // A stride along an axis of one element is never used.
    if (x.heads > 1) all = all && multiple(head);
    const int axes = pool ? pool->axes : request.token_axes;
    const int64_t* extents = pool ? pool->extent : request.extent;
    for (int axis = 0; axis < axes; ++axis)
      if (extents[axis] > 1) all = all && multiple(strides[axis]);
    return all;
  };
  return side(x.in, x.in_head, x.in_token, x.from_pool ? &request.paged->source : nullptr) &&
         side(x.out, x.out_head, x.out_token, x.to_pool ? &request.paged->target : nullptr);
}

bool is_scaled(const Request& request, const Operand& x) {
  return x.queries && request.query_scale.kind != QueryScale::none;
}

// Whether nothing is done to what does not turn.
bool leaves_rest(const Request& request, const Operand& x) { return stays_in_place(x) && !is_scaled(request, x); }

// Whether a tensor can be read and written `bytes` at a time.
bool fits(const Request& request, const Operand& x, int64_t bytes) {
  const int64_t size = element_size(x.type), turning = 2 * request.turns.pairs * size;
  if (bytes == size) return true;
  if (x.in_element != size || x.out_element != size) return false;
  return addresses_fit(request, x, bytes) && (request.interleaved ? turning : turning / 2) % bytes == 0 &&
         (leaves_rest(request, x) || ((x.head_dim * size - turning) % bytes == 0 && x.before * size % bytes == 0));
}

// The same for values, which come in whole accesses.
bool values_fit(const Request& request, int64_t bytes) {
  const Tokens& x = request.paged->values;
  const int64_t size = request.paged->value_size;
  return !x.in || (x.in_element == size && x.out_element == size && x.head_dim * size % bytes == 0 &&
                   addresses_fit(request, x, bytes));
}

KernelOperand tokens_of(const Tokens& x) {
  KernelOperand to{};
  to.in = x.in, to.out = x.out;
  std::copy_n(x.in_token, max_token_axes, to.in_token);
  std::copy_n(x.out_token, max_token_axes, to.out_token);
  to.in_head = x.in_head, to.out_head = x.out_head, to.in_element = x.in_element, to.out_element = x.out_element;
  to.in_place = stays_in_place(x);
  require(x.heads < int64_t{1} << 24, "there are too many heads or elements");
  to.heads = static_cast<uint32_t>(x.heads);
  return to;
}

KernelOperand operand_of(const Request& request, const Operand& x, int bytes) {
  const int64_t elements = bytes / static_cast<int64_t>(element_size(x.type)), pairs = request.turns.pairs;
  KernelOperand to = tokens_of(x);
  const int64_t turning = request.interleaved && elements > 1 ? 2 * pairs / elements : pairs / elements;
  const bool leaves = leaves_rest(request, x);
  const int64_t behind = leaves ? 0 : (x.head_dim - 2 * pairs) / elements;
  const int64_t before = leaves ? 0 : x.before / elements, all = turning + behind + before;
  require(all < int64_t{1} << 20, "there are too many heads or elements");
  to.turning = static_cast<uint32_t>(turning);
  to.behind = static_cast<uint32_t>(turning + behind);
  to.accesses = static_cast<uint32_t>(all);
  to.before = static_cast<uint32_t>(x.before);
  to.queries = is_scaled(request, x);
  return to;
}

// Values as elements of the type of the launch, of which an access has several.
KernelOperand values_of(const Paged& paged, const Launch& launch) {
  if (!paged.values.in) return {};
  KernelOperand to = tokens_of(paged.values);
  to.in_element = to.out_element = element_size(launch.type);
  const int64_t accesses = paged.values.head_dim * paged.value_size / launch.bytes;
  require(accesses < int64_t{1} << 20, "there are too many heads or elements");
  to.accesses = static_cast<uint32_t>(accesses);
  return to;
}

KernelTurns turns_of(const Request& request, const DeviceTable& table) {
  KernelTurns to{};
  to.table = table.words, to.factors = table.factors;
  to.positions = request.positions, to.offset = request.offset, to.section_stride = request.section_stride;
  std::copy_n(request.position_stride, max_token_axes, to.position_stride);
  std::copy_n(request.row_stride, max_token_axes, to.row_stride);
  to.row_index = request.row_index;
  to.position_kind = request.position_kind;
  to.conjugate = request.conjugate;
  return to;
}

// What a launch has beyond q and k; `first`: which of the operands it turns, and the values after the last of them.
void fill_paged(Launch& launch, const Request& request, const DeviceTable& other, int first, int count) {
  const Paged& paged = *request.paged;
  PagedKernelRequest& to = launch.request;
  launch.paged = true;
  to.source = paged.source, to.target = paged.target;
  if (paged.other) to.other = turns_of(*paged.other, other);
  for (int n = 0; n < count; ++n) {
    to.from_pool[n] = request.operands[first + n].from_pool;
    to.to_pool[n] = request.operands[first + n].to_pool;
  }
  if (first + count < request.operand_count) return;
  to.values = values_of(paged, launch);
  to.from_pool[2] = paged.values.from_pool, to.to_pool[2] = paged.values.to_pool;
}

// Operands [first, first + count) in one launch.
Launch launch_of(const Request& request, const DeviceTable& table, const DeviceTable& other, int multiprocessors,
                 int first, int count) {
  Launch launch{};
  launch.type = request.operands[first].type;
  launch.interleaved = request.interleaved;
  launch.bytes = 16;
  for (int n = first; n < first + count; ++n)
    while (!fits(request, request.operands[n], launch.bytes)) launch.bytes /= 2;
  if (request.paged) {
    while (launch.bytes > element_size(launch.type) && !values_fit(request, launch.bytes)) launch.bytes /= 2;
    require(values_fit(request, launch.bytes), why_values_have_no_kernel);
    fill_paged(launch, request, other, first, count);
  }

  KernelRequest& to = launch.request;
  int64_t tasks = int64_t{launch.request.values.heads} * launch.request.values.accesses;
  for (int n = 0; n < count; ++n) {
    to.operands[n] = operand_of(request, request.operands[first + n], launch.bytes);
    tasks += int64_t{to.operands[n].heads} * to.operands[n].accesses;
  }
  require(tasks < int64_t{1} << 27, "there are too many heads");
  to.tasks = static_cast<uint32_t>(tasks);
  std::copy_n(request.extent, max_token_axes, to.extent);
  std::copy_n(request.position_stride, max_token_axes, to.position_stride);
  std::copy_n(request.row_stride, max_token_axes, to.row_stride);
  to.tokens = request.tokens();
  to.token_axes = request.token_axes;
  to.positions = request.positions;
  to.offset = request.offset;
  to.section_stride = request.section_stride;
  to.position_kind = request.position_kind;
  to.row_index = request.row_index;
  to.slots = request.slots;
  to.slot_limit = 1;
  for (int axis = 0; axis < request.token_axes; ++axis) to.slot_limit *= request.extent[axis];
  to.conjugate = request.conjugate;
  to.query_scale = request.query_scale;
  to.pairs = static_cast<uint32_t>(request.turns.pairs);
  to.sections = 1;
  for (uint32_t i = 0; request.pair_section && i < to.pairs; ++i) {
    to.pair_section[i] = request.pair_section[i];
    to.sections = std::max<uint32_t>(to.sections, request.pair_section[i] + 1u);
  }
  to.table = table.words, to.factors = table.factors;
  if (!table.words) {
    std::copy_n(request.turns.words, 4 * to.pairs, to.words);
    to.factor = request.turns.factors[0];
  }

  // About a pair a thread while rows are made; but as many blocks as twice keep every multiprocessor busy, at last by
  // splitting the heads of a token.
  const int64_t wanted = 2 * int64_t{std::max(multiprocessors, 1)};
  int64_t together = std::clamp<int64_t>(threads_per_block / to.pairs, 1, 8);
  while (together > 1 && to.tokens < wanted * together) together /= 2;
  const int64_t groups = (to.tokens + together - 1) / together;
  const int64_t useful_parts = std::max<int64_t>(1, tasks / 64);
  to.tokens_per_block = static_cast<uint32_t>(together);
  to.parts = static_cast<uint32_t>(groups < wanted ? std::min((wanted + groups - 1) / groups, useful_parts) : 1);
  to.blocks = groups * to.parts;
  // Several groups a block where there are many, so that its words are copied for all of them.
  const int64_t rounds = std::clamp<int64_t>(to.blocks / (8 * wanted), 1, 8);
  launch.grid = static_cast<uint32_t>(std::min<int64_t>((to.blocks + rounds - 1) / rounds, 0x7fffffff));
  launch.shared = request.paged ? shared_bytes(launch.request) : shared_bytes(to);
  return launch;
}

void check(const Request& request, const DeviceTable& table) {
  require(request.position_kind == PositionKind::arange || request.position_kind == PositionKind::int32 ||
              request.position_kind == PositionKind::int64,
          "positions on a device are int32 or int64");
  require(table.words || (!request.row_index && request.turns.pairs <= max_pairs_by_value),
          "several rows, or more than 128 pairs, need their table on the device");
  require(!request.pair_section || request.turns.pairs <= max_pairs_by_value, "sections have at most 128 pairs");
  require(request.turns.pairs <= 2048, "there are more than 2048 pairs");
  for (int n = 0; n < request.operand_count; ++n)
    require(has_kernel(request.operands[n].type), "elements of this type have no kernel");
}

}  // namespace

std::vector<Launch> plan(const Request& request, const DeviceTable& table, int multiprocessors) {
  return plan_paged(request, table, {}, multiprocessors);
}

std::vector<Launch> plan_paged(const Request& request, const DeviceTable& table, const DeviceTable& other,
                               int multiprocessors) {
  check(request, table);
  const Request* more = request.paged ? request.paged->other : nullptr;
  require(!more || other.words, "other turns need their table on the device");
  if (more) check(*more, other);
  int kept[2], count = 0;
  for (int n = 0; n < request.operand_count; ++n)
    if (request.operands[n].heads > 0 || request.paged) kept[count++] = n;
  std::vector<Launch> launches;
  if (request.tokens() == 0 || count == 0) return launches;
  if (count == 2 && request.operands[0].type == request.operands[1].type) {
    launches.push_back(launch_of(request, table, other, multiprocessors, 0, 2));
  } else {
    for (int n = 0; n < count; ++n) launches.push_back(launch_of(request, table, other, multiprocessors, kept[n], 1));
  }
  return launches;
}

}  // namespace yarncore::cuda
