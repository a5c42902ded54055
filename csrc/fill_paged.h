// A call whose tokens are on their way out of pools or into them, shown as views of its arrays, becomes a Request. As
// in fill_request.h: each function answers what is wrong, or null, and reads no element of an array. In this order: the
// grid, operands, values, slots; then positions and rows by fill_request.h; then the other turns.
#pragma once

#include "array_view.h"
#include "request.h"

namespace yarncore {

// The shape of the tokens.
const char* fill_grid(Request& request, const int64_t* extents, int axes);

// From an array to another, which may be the same. Where `has_heads`, the axis before the last is that of the heads.
// An array that is not a pool has the tokens of the grid.
const char* fill_operand(Request& request, Paged& paged, const ArrayView& in, const ArrayView& out, bool has_heads,
                         bool from_pool, bool to_pool);

// The same for values, whose elements are of 1, 2, 4, 8 or 16 bytes.
const char* fill_values(Request& request, Paged& paged, const ArrayView& in, const ArrayView& out, bool has_heads,
                        bool from_pool, bool to_pool);

// One for each token, after the operands that lie in the pool.
const char* fill_pool_slots(const Request& request, Pool& pool, const int64_t* slots, int64_t count);

// What a request that is filled has as its other turns: alike in its tokens and pairs.
const char* fill_other(Request& request, Paged& paged, const Request& other);

}  // namespace yarncore
