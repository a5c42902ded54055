// Every kernel of this build's instruction sets against the baseline's, bit for bit, without Python: all element types,
// pair layouts, kinds of positions and numbers of pairs. Prints a hash of all results, which is the same on every
// processor. Built and run by selftest.py.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "../../csrc/cpu/instruction_sets.h"
#include "../../csrc/cpu/scratch.h"

using namespace yarncore;

namespace {

uint64_t state = 1;
uint64_t random_bits() {  // splitmix64
  uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t hash = 0xcbf29ce484222325u;
void add_to_hash(const std::vector<char>& bytes) {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
}

// Finite numbers of every magnitude, denormals and zeros among them: NaN payloads are nobody's promise.
void fill(std::vector<char>& bytes, ElementType type) {
  for (size_t at = 0; at < bytes.size(); at += element_size(type)) {
    uint64_t bits = random_bits();
    switch (type) {
      case ElementType::float64: bits &= 0xbfffffffffffffffu; break;
      case ElementType::float32: bits &= 0xbfffffffu; break;
      case ElementType::bfloat16:
      case ElementType::float16: bits &= 0xbfffu; break;
    }
    std::memcpy(&bytes[at], &bits, element_size(type));
  }
}

struct Case {
  ElementType type;
  PositionKind kind;
  int64_t pairs, rest;
  bool interleaved, conjugate, sections;
};

constexpr int64_t tokens = 5, heads = 3;

std::vector<char> rotated(const cpu::KernelTable& table, const Case& c, const std::vector<char>& in,
                          const std::vector<char>& positions, const TurnsTable& turns, const uint8_t* pair_section) {
  std::vector<char> out(in.size());
  const auto size = static_cast<int64_t>(element_size(c.type));
  const int64_t dim = 2 * c.pairs + c.rest;
  Request request{};
  request.operand_count = 1;
  Operand& x = request.operands[0];
  x.in = in.data(), x.out = out.data(), x.type = c.type, x.heads = heads, x.head_dim = dim;
  x.in_token[0] = x.out_token[0] = heads * dim * size;
  x.in_head = x.out_head = dim * size, x.in_element = x.out_element = size;
  request.token_axes = 1, request.extent[0] = tokens;
  request.position_kind = c.kind, request.positions = positions.data(), request.position_stride[0] = 8;
  request.section_stride = tokens * 8, request.pair_section = c.sections ? pair_section : nullptr;
  request.offset = -3;
  request.turns = turns;
  request.conjugate = c.conjugate, request.interleaved = c.interleaved;
  cpu::Schedule schedule{};
  schedule.threads = schedule.tokens_per_block = 1;
  std::vector<char> memory(
      static_cast<size_t>(cpu::lay_out_scratch(request, schedule.tokens_per_block, nullptr).bytes + 64));
  const auto start = reinterpret_cast<uintptr_t>(memory.data());
  table.rotate_tokens(request, schedule, 0, tokens, memory.data() + (64 - start % 64) % 64);
  return out;
}

}  // namespace

int main() {
  const std::vector<const cpu::KernelTable*> tables = cpu::usable_kernels();  // the baseline among them
  int64_t cases = 0;
  for (int64_t pairs = 1; pairs <= 70; ++pairs) {
    const int64_t capacity = turns_capacity(pairs);
    std::vector<uint32_t> words(static_cast<size_t>(5 * pairs));
    std::vector<uint64_t> lanes(static_cast<size_t>(4 * capacity));
    std::vector<uint8_t> pair_section(static_cast<size_t>(pairs));
    for (int64_t i = 0; i < pairs; ++i) {
      pair_section[static_cast<size_t>(i)] = static_cast<uint8_t>(i % 3);
      for (int64_t word = 0; word < 4; ++word) {
        const auto bits = static_cast<uint32_t>(random_bits());
        words[static_cast<size_t>(word * pairs + i)] = bits;
        lanes[static_cast<size_t>(word * capacity + i)] = bits;
      }
    }
    const double factor = 1.25;
    const TurnsTable turns{words.data(), lanes.data(), &factor, 1, pairs, capacity};
    std::vector<char> positions(3 * tokens * 8);
    for (const ElementType type :
         {ElementType::float64, ElementType::float32, ElementType::bfloat16, ElementType::float16})
      for (const PositionKind kind :
           {PositionKind::arange, PositionKind::int32, PositionKind::int64, PositionKind::float64})
        for (int bits = 0; bits < 16; ++bits) {
          Case c{};
          c.type = type, c.kind = kind, c.pairs = pairs, c.rest = bits & 1 ? 3 : 0;
          c.interleaved = (bits & 2) != 0, c.conjugate = (bits & 4) != 0;
          c.sections = (bits & 8) && kind != PositionKind::arange;
          for (size_t i = 0; i < 3 * tokens; ++i) {
            const uint64_t integer = random_bits();
            const double real = static_cast<double>(static_cast<int64_t>(random_bits()) >> 24) * 0x1p-8;
            std::memcpy(&positions[8 * i], kind == PositionKind::float64 ? static_cast<const void*>(&real) : &integer,
                        8);
          }
          std::vector<char> in(static_cast<size_t>(tokens * heads * (2 * pairs + c.rest)) * element_size(type));
          fill(in, type);
          const std::vector<char> expected =
              rotated(cpu::baseline_kernels, c, in, positions, turns, pair_section.data());
          add_to_hash(expected);
          ++cases;
          for (const cpu::KernelTable* table : tables)
            if (rotated(*table, c, in, positions, turns, pair_section.data()) != expected) {
              std::printf("%s differs from the baseline: type %d, kind %d, %d pairs, case %d\n", table->name,
                          static_cast<int>(type), static_cast<int>(kind), static_cast<int>(pairs), bits);
              return 1;
            }
        }
  }
  std::string sets;
  for (const cpu::KernelTable* table : tables) sets += table->name + std::string(" ");
  std::printf("%lld cases, %shash %016llx\n", static_cast<long long>(cases), sets.c_str(),
              static_cast<unsigned long long>(hash));
}
