// What the headers that CPU and GPU share need of a compiler: fixed integers, and the mark of a function that runs on
// both. NVRTC compiles them at run time and has no standard headers.
#pragma once

#ifdef __CUDACC_RTC__
namespace yarncore {
using int8_t = signed char;
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long long;
using uint64_t = unsigned long long;
}  // namespace yarncore
#else
#include <cstddef>
#include <cstdint>
#endif

#ifdef __CUDACC__
#define YARNCORE_HOST_DEVICE __host__ __device__
#else
#define YARNCORE_HOST_DEVICE
#endif

namespace yarncore {

// The same bits as another type of the same size. (Static: each unit of the CPU keeps its own copy.)
template <class To, class From>
YARNCORE_HOST_DEVICE static inline To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "bits are neither added nor lost");
  To to;
#ifdef __CUDACC__
  memcpy(&to, &from, sizeof to);
#else
  __builtin_memcpy(&to, &from, sizeof to);
#endif
  return to;
}

// The largest whole number that is no larger.
YARNCORE_HOST_DEVICE static inline double rounded_down(double number) {
#ifdef __CUDACC__
  return floor(number);
#else
  return __builtin_floor(number);
#endif
}

}  // namespace yarncore
