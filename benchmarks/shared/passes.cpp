// The fastest passes over the same bytes that do nothing but scale or copy: what a rotation is measured against.
// Compiled by limits.py with the thread pool of the extension, so that only the work differs.
#include <emmintrin.h>

#include <cstdint>
#include <cstring>

#include "../../csrc/cpu/threads.h"

namespace {

constexpr int64_t line = 64;

template <class Pass>
void in_parallel(int64_t bytes, int threads, const Pass& pass) {
  yarncore::cpu::parallel_for(bytes / line, threads, 1,
                              [&](int64_t begin, int64_t end) { pass(begin * line, (end - begin) * line); });
}

}  // namespace

extern "C" void scale(float* x, int64_t bytes, float by, int threads) {
  in_parallel(bytes, threads, [=](int64_t from, int64_t count) {
    float* part = x + from / 4;
    for (int64_t i = 0; i < count / 4; ++i) part[i] *= by;
  });
}

extern "C" void copy(char* to, const char* from, int64_t bytes, int threads) {
  in_parallel(bytes, threads, [=](int64_t at, int64_t count) { std::memcpy(to + at, from + at, count); });
}

extern "C" void copy_past_the_caches(char* to, const char* from, int64_t bytes, int threads) {
  in_parallel(bytes, threads, [=](int64_t at, int64_t count) {
    for (int64_t i = at; i < at + count; i += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_load_si128(reinterpret_cast<const __m128i*>(from + i)));
    _mm_sfence();
  });
}

// Tokens by slots: of each, `bytes` from place source[n] (or n, where there is none) to place target[n]; plain, with the
// one after the next fetched, or past the caches.
extern "C" void copy_slots(char* to, const char* from, const int64_t* target, const int64_t* source, int64_t count,
                           int64_t bytes, int how, int threads) {
  const auto place = [=](int64_t n) { return from + (source ? source[n] : n) * bytes; };
  yarncore::cpu::parallel_for(count, threads, 1, [=](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const char* in = place(n);
      char* out = to + target[n] * bytes;
      for (int64_t at = 0; how == 1 && n + 2 < end && at < bytes; at += line) {
        __builtin_prefetch(place(n + 2) + at, 0);
        __builtin_prefetch(to + target[n + 2] * bytes + at, 1);
      }
      if (how != 2) {
        std::memcpy(out, in, bytes);
        continue;
      }
      for (int64_t at = 0; at < bytes; at += 16)
        _mm_stream_si128(reinterpret_cast<__m128i*>(out + at),
                         _mm_load_si128(reinterpret_cast<const __m128i*>(in + at)));
    }
    if (how == 2) _mm_sfence();
  });
}
