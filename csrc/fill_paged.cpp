#include "fill_paged.h"

#include <algorithm>

namespace yarncore {
namespace {

// Strides of tokens, of an array with `axes` token axes that must be those of the grid or of the pool.
const char* fill_side(const ArrayView& array, int axes, const int64_t* extents, int64_t* strides) {
  if (array.dimensions < axes) return "an array has too few axes";
  for (int axis = 0; axis < axes; ++axis) {
    if (array.shape[axis] != extents[axis]) return "arrays differ in their tokens";
    strides[axis] = array.strides[axis];
  }
  return nullptr;
}

// The first array of a pool says what its axes are.
const char* fill_pool_side(Pool& pool, const ArrayView& array, bool has_heads, int64_t* strides) {
  const int axes = array.dimensions - 1 - has_heads;
  if (axes < 1 || axes > max_token_axes) return "a pool has the wrong number of axes";
  if (pool.axes == 0) {
    pool.axes = axes;
    std::copy_n(array.shape, axes, pool.extent);
  }
  if (pool.axes != axes) return "pools differ in the number of axes";
  return fill_side(array, axes, pool.extent, strides);
}

const char* fill_tokens(const Request& request, Paged& paged, Tokens& x, const ArrayView& in, const ArrayView& out,
                        bool has_heads, bool from_pool, bool to_pool) {
  const ArrayView* const views[] = {&in, &out};
  for (int n = 0; n < 2; ++n) {
    const bool pooled = n == 0 ? from_pool : to_pool;
    int64_t* const strides = n == 0 ? x.in_token : x.out_token;
    if (!pooled && views[n]->dimensions != request.token_axes + 1 + has_heads) return "an array has too many axes";
    const char* wrong = pooled ? fill_pool_side(n == 0 ? paged.source : paged.target, *views[n], has_heads, strides)
                               : fill_side(*views[n], request.token_axes, request.extent, strides);
    if (wrong) return wrong;
  }
  if (!out.writable) return "an output is read-only";
  if (in.itemsize != out.itemsize) return "input and output differ in their elements";
  const int in_last = in.dimensions - 1, out_last = out.dimensions - 1;
  x.heads = has_heads ? in.shape[in_last - 1] : 1;
  x.head_dim = in.shape[in_last];
  if (out.shape[out_last] != x.head_dim || (has_heads && out.shape[out_last - 1] != x.heads))
    return "input and output differ in their heads";
  x.in = in.data, x.out = out.data;
  x.in_head = has_heads ? in.strides[in_last - 1] : 0, x.out_head = has_heads ? out.strides[out_last - 1] : 0;
  x.in_element = in.strides[in_last], x.out_element = out.strides[out_last];
  x.from_pool = from_pool, x.to_pool = to_pool;
  return nullptr;
}

}  // namespace

const char* fill_grid(Request& request, const int64_t* extents, int axes) {
  if (axes < 0 || axes > max_token_axes) return "there are too many axes";
  request.token_axes = axes;
  std::copy_n(extents, axes, request.extent);
  return nullptr;
}

const char* fill_operand(Request& request, Paged& paged, const ArrayView& in, const ArrayView& out, bool has_heads,
                         bool from_pool, bool to_pool) {
  if (request.operand_count == 2) return "one or two arrays are turned";
  if (in.type != out.type || in.itemsize != element_size(in.type)) return "element type and item size differ";
  Operand& x = request.operands[request.operand_count];
  x.type = in.type;
  if (const char* wrong = fill_tokens(request, paged, x, in, out, has_heads, from_pool, to_pool)) return wrong;
  x.before = request.rotary_start;
  x.in += x.before * x.in_element, x.out += x.before * x.out_element, x.head_dim -= x.before;
  if (x.before < 0 || x.head_dim < 2 * request.turns.pairs) return "head_dim is smaller than what turns";
  ++request.operand_count;
  return nullptr;
}

const char* fill_values(Request& request, Paged& paged, const ArrayView& in, const ArrayView& out, bool has_heads,
                        bool from_pool, bool to_pool) {
  const int64_t size = in.itemsize;
  if (size != 1 && size != 2 && size != 4 && size != 8 && size != 16) return "values have elements of 1 to 16 bytes";
  paged.value_size = size;
  return fill_tokens(request, paged, paged.values, in, out, has_heads, from_pool, to_pool);
}

const char* fill_pool_slots(const Request& request, Pool& pool, const int64_t* slots, int64_t count) {
  if (pool.axes == 0) return "there are slots and nothing lies in them";
  if (count != request.tokens()) return "there is one slot for each token";
  pool.slots = slots;
  return nullptr;
}

const char* fill_other(Request& request, Paged& paged, const Request& other) {
  if (other.token_axes != request.token_axes ||
      !std::equal(request.extent, request.extent + request.token_axes, other.extent) ||
      other.turns.pairs != request.turns.pairs)
    return "the other turns are of other tokens or pairs";
  const auto same_sections = [&] {
    return (!request.pair_section && !other.pair_section) ||
           (request.pair_section && other.pair_section &&
            std::equal(request.pair_section, request.pair_section + request.turns.pairs, other.pair_section));
  };
  if (!same_sections()) return "the other turns are of other sections";
  if (is_fractional(request.position_kind) || is_fractional(other.position_kind))
    return "two turns are by integer positions";
  paged.other = &other;
  return nullptr;
}

}  // namespace yarncore
