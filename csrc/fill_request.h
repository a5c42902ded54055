// A call, shown as views of its arrays, becomes a Request. The rules about shapes stand here once, for everyone who
// calls. Each function answers what is wrong, or null, and reads no element of an array. In this order: `turns`
// and `rotary_start`, then inputs, outputs, slots, then positions and rows.
#pragma once

#include "array_view.h"
#include "request.h"

namespace yarncore {

// q, or q and k. `heads_axis`: counted from the front, -1 for none. All other axes but the last are those of the
// tokens.
const char* fill_inputs(Request& request, const ArrayView* inputs, int count, int heads_axis);

// An output may be its input.
const char* fill_output(Request& request, int operand, const ArrayView& input, const ArrayView& output, int heads_axis);

// Which operands are queries, and by what those are scaled.
const char* fill_queries(Request& request, const QueryScale& scale, bool first, bool second);

// From here on one axis stands for the tokens: that of the list.
void fill_slots(Request& request, const int64_t* slots, int64_t count);

// Broadcast against the token axes. With `pair_section`, a byte for each pair, there is exactly one leading axis more,
// that of the sections, of which the pairs name `sections`.
const char* fill_positions(Request& request, const ArrayView& positions, const uint8_t* pair_section, int64_t sections);

// Counted from an offset; a count is the same for every section.
void fill_offset(Request& request, int64_t offset);

// int32, broadcast against the token axes.
const char* fill_rows(Request& request, const ArrayView& rows);

// Whether rows that were made, if there are any, are of the type that every operand is turned by.
bool fit_rows(const Request& request);

// cos and sin instead of positions, (..., pairs), broadcast against the token axes.
const char* fill_tables(Request& request, const ArrayView& cos, const ArrayView& sin);

// How many sections the pairs name.
int64_t count_sections(const uint8_t* pair_section, int64_t pairs);

}  // namespace yarncore
