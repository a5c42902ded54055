// The row of a token that is turned twice, by other turns at a position of their own: the phases are added, exactly.
#pragma once

#include <cstdint>

#include "make_row.h"

namespace yarncore::cpu {

// What a token is turned by: a row of a table at its positions.
struct Turn {
  const uint64_t* lanes;
  const Position* positions;  // one a section
};

// The phases of one block of lanes.
template <class Lanes>
inline Phase<typename Lanes::U64> phase_of_turn(const Turn& turn, int64_t i, int64_t capacity,
                                                const uint8_t* section_of, int64_t sections) {
  using U64 = typename Lanes::U64;
  const Words<Lanes> w(turn.lanes, i, capacity);
  const auto all = [](bool set) { return Lanes::u64(set ? ~uint64_t{0} : 0); };
  U64 magnitude = Lanes::u64(turn.positions[0].magnitude), negative = all(turn.positions[0].negative);
  if (sections > 1) {
    const U64 section = Lanes::load_bytes(section_of + i);
    for (int64_t n = 1; n < sections; ++n) {
      const auto is = Lanes::equal(section, n);
      magnitude = is ? Lanes::u64(turn.positions[n].magnitude) : magnitude;
      negative = is ? all(turn.positions[n].negative) : negative;
    }
  }
  const U64 m0 = magnitude & Lanes::u64(0xffffffffu);
  return turned_back<Lanes>(phase_of<Lanes>(m0, magnitude >> 32, w.f0, w.f1, w.f2, w.f3), negative);
}

// Integer positions only.
template <class Lanes, class Coefficients, class Factor>
[[gnu::noinline]] static void make_joined_row(Row<Factor> row, const uint8_t* section_of, const Turn (&turns)[2],
                                              int64_t capacity, int64_t pairs, double factor, int64_t sections) {
  const auto factors = Lanes::f64(factor);
  for (int64_t i = 0; i < pairs; i += Lanes::wide) {
    const auto phase = sum_of<Lanes>(phase_of_turn<Lanes>(turns[0], i, capacity, section_of, sections),
                                     phase_of_turn<Lanes>(turns[1], i, capacity, section_of, sections));
    store_cos_sin<Lanes, Coefficients>(row, i, phase, factors, factors);
  }
}

// The row of a token of a request that has other turns.
template <class Lanes, class Coefficients, class Factor>
inline void make_joined_row(const Request& request, const Request& other, Row<Factor> row, const PhaseScratch& scratch,
                            int32_t table_row, int32_t other_row, const Position* positions, int64_t sections) {
  const TurnsTable &a = request.turns, &b = other.turns;
  const Turn turns[2] = {{a.lanes + table_row * 4 * a.capacity, positions},
                         {b.lanes + other_row * 4 * b.capacity, positions + sections}};
  make_joined_row<Lanes, Coefficients>(row, scratch.section_of, turns, a.capacity, a.pairs,
                                       a.factors[table_row] * b.factors[other_row], sections);
}

}  // namespace yarncore::cpu
