// The row of a token: cos and sin of all pairs at its position, times the attention factor, rounded once.
#pragma once

#include <cstdint>

#include "../request.h"
#include "../rotation_math.h"
#include "fractional_phase.h"
#include "token_positions.h"

namespace yarncore::cpu {

// Phases of one row while it is made, for pairs that do not share an integer position.
struct PhaseScratch {
  uint64_t *high, *low, *negate;  // phases; the sign bit where sin changes its sign
  double* tiny;                   // angles of phases that are almost 0, else 0
  uint8_t* section_of;            // the section of each pair, readable up to the capacity of a row
};

// The row's numbers: float or double.
template <class Factor>
struct Row {
  Factor *cos, *sin;
  Row from(int64_t first) const { return {cos + first, sin + first}; }
};

// cos and sin of one block of lanes, rounded once, into the row. A turn backwards has a negative `sin_factor`.
template <class Lanes, class Coefficients, class Factor>
inline void store_cos_sin(Row<Factor> row, int64_t i, const Phase<typename Lanes::U64>& phase,
                          typename Lanes::F64 cos_factor, typename Lanes::F64 sin_factor) {
  const auto turned = cos_sin_of<Lanes, Coefficients>(phase);
  const auto c = turned.cos * cos_factor, s = turned.sin * sin_factor;
  if constexpr (sizeof(Factor) == 8) {
    Lanes::store(row.cos + i, c);
    Lanes::store(row.sin + i, s);
  } else {
    Lanes::store_rounded(row.cos + i, c);
    Lanes::store_rounded(row.sin + i, s);
  }
}

// The four words of fraction of `Lanes::wide` pairs from pair i on.
template <class Lanes>
struct Words {
  typename Lanes::U64 f0, f1, f2, f3;
  Words(const uint64_t* lanes, int64_t i, int64_t capacity)
      : f0(Lanes::template load<decltype(f0)>(lanes + i)),
        f1(Lanes::template load<decltype(f0)>(lanes + capacity + i)),
        f2(Lanes::template load<decltype(f0)>(lanes + 2 * capacity + i)),
        f3(Lanes::template load<decltype(f0)>(lanes + 3 * capacity + i)) {}
};

// All pairs at one integer position, which nearly every row is. (Never inlined, like the two below: in one large
// function the registers do not suffice for the constants.)
template <class Lanes, class Coefficients, class Factor>
[[gnu::noinline]] static void make_plain_row(Row<Factor> row, const uint64_t* lanes, int64_t capacity, int64_t pairs,
                                             double factor, const Position& position) {
  using U64 = typename Lanes::U64;
  const U64 m0 = Lanes::u64(position.magnitude & 0xffffffffu), m1 = Lanes::u64(position.magnitude >> 32);
  const auto cos_factor = Lanes::f64(factor), sin_factor = Lanes::f64(position.negative ? -factor : factor);
  if (position.magnitude >> 32 == 0) {
    for (int64_t i = 0; i < pairs; i += Lanes::wide) {
      const Words<Lanes> w(lanes, i, capacity);
      store_cos_sin<Lanes, Coefficients>(row, i, phase_of<Lanes>(m0, w.f0, w.f1, w.f2, w.f3), cos_factor, sin_factor);
    }
  } else {
    for (int64_t i = 0; i < pairs; i += Lanes::wide) {
      const Words<Lanes> w(lanes, i, capacity);
      store_cos_sin<Lanes, Coefficients>(row, i, phase_of<Lanes>(m0, m1, w.f0, w.f1, w.f2, w.f3), cos_factor,
                                         sin_factor);
    }
  }
}

// Each pair at the integer position of its section.
template <class Lanes, class Coefficients, class Factor>
[[gnu::noinline]] static void make_sectioned_row(Row<Factor> row, const uint8_t* section_of, const uint64_t* lanes,
                                                 int64_t capacity, int64_t pairs, double factor,
                                                 const Position* positions, int64_t sections) {
  using U64 = typename Lanes::U64;
  uint64_t bits = 0;
  bool any_negative = false;
  for (int64_t n = 0; n < sections; ++n) bits |= positions[n].magnitude, any_negative |= positions[n].negative;
  const bool below_2_32 = bits >> 32 == 0;
  const auto cos_factor = Lanes::f64(factor);
  for (int64_t i = 0; i < pairs; i += Lanes::wide) {
    const Words<Lanes> w(lanes, i, capacity);
    const U64 section = Lanes::load_bytes(section_of + i);
    U64 magnitude = Lanes::u64(positions[0].magnitude);
    for (int64_t n = 1; n < sections; ++n)
      magnitude = Lanes::equal(section, n) ? Lanes::u64(positions[n].magnitude) : magnitude;
    auto sin_factor = cos_factor;
    if (any_negative)
      for (int64_t n = 0; n < sections; ++n)
        sin_factor = Lanes::equal(section, n) ? Lanes::f64(positions[n].negative ? -factor : factor) : sin_factor;
    const U64 m0 = magnitude & Lanes::u64(0xffffffffu);
    const auto phase = below_2_32 ? phase_of<Lanes>(m0, w.f0, w.f1, w.f2, w.f3)
                                  : phase_of<Lanes>(m0, magnitude >> 32, w.f0, w.f1, w.f2, w.f3);
    store_cos_sin<Lanes, Coefficients>(row, i, phase, cos_factor, sin_factor);
  }
}

// Positions with fractions, one or one a section.
template <class Lanes, class Coefficients, class Factor>
[[gnu::noinline]] static void make_fractional_row(const Request& request, Row<Factor> row, const PhaseScratch& scratch,
                                                  const uint32_t* words, double factor, const Position* positions) {
  using U64 = typename Lanes::U64;
  const int64_t pairs = request.turns.pairs;
  fractional_row(words, pairs, request.pair_section, positions, scratch.high, scratch.low, scratch.negate,
                 scratch.tiny);
  const auto cos_factor = Lanes::f64(factor);
  for (int64_t i = 0; i < pairs; i += Lanes::wide) {
    const Phase<U64> phase = {Lanes::template load<U64>(scratch.high + i), Lanes::template load<U64>(scratch.low + i)};
    const U64 negate = Lanes::template load<U64>(scratch.negate + i);
    store_cos_sin<Lanes, Coefficients>(row, i, phase, cos_factor, Lanes::as_f64(Lanes::as_u64(cos_factor) ^ negate));
  }
  // sin x = x for the tiny angles of fractional positions; their cos is 1 already.
  for (int64_t i = 0; i < pairs; ++i)
    if (scratch.tiny[i] != 0) row.sin[i] = static_cast<Factor>(scratch.tiny[i] * factor);
}

// A token of text among images: its positions in all sections are the same.
static inline bool all_the_same(const Position* positions, int64_t sections) {
  for (int64_t n = 1; n < sections; ++n)
    if (!same_position(positions[n], positions[0])) return false;
  return true;
}

// Row `table_row` of the table at the positions of a token, for what is scaled beside.
template <class Lanes, class Coefficients, class Factor>
inline void make_row(const Request& request, Row<Factor> row, const PhaseScratch& scratch, int64_t table_row,
                     const Position* positions, int64_t sections, double scale) {
  const TurnsTable& turns = request.turns;
  const double factor = turns.factors[table_row] * scale;
  const uint64_t* lanes = turns.lanes + table_row * 4 * turns.capacity;
  if (is_fractional(request.position_kind))
    make_fractional_row<Lanes, Coefficients>(request, row, scratch, turns.words + table_row * 5 * turns.pairs, factor,
                                             positions);
  else if (request.pair_section && !all_the_same(positions, sections))
    make_sectioned_row<Lanes, Coefficients>(row, scratch.section_of, lanes, turns.capacity, turns.pairs, factor,
                                            positions, sections);
  else
    make_plain_row<Lanes, Coefficients>(row, lanes, turns.capacity, turns.pairs, factor, positions[0]);
}

}  // namespace yarncore::cpu
