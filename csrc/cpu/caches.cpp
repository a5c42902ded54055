#include "caches.h"

#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstring>
#endif

namespace yarncore::cpu {
namespace {

int64_t size_of(int level, int64_t otherwise) {
#if defined(_SC_LEVEL2_CACHE_SIZE) && defined(_SC_LEVEL3_CACHE_SIZE)
  const long size = sysconf(level == 2 ? _SC_LEVEL2_CACHE_SIZE : _SC_LEVEL3_CACHE_SIZE);
  if (size > 0) return size;
#endif
  (void)level;
  return otherwise;
}

bool made_by_amd() {
#if defined(__x86_64__)
  unsigned highest, name[3];
  return __get_cpuid(0, &highest, &name[0], &name[2], &name[1]) && std::memcmp(name, "AuthenticAMD", 12) == 0;
#else
  return false;
#endif
}

}  // namespace

const Caches& caches() {
  static const Caches known = [] {
    const int64_t l2 = size_of(2, 1 << 20), l3 = size_of(3, 0);
    // AMD's last level is fast and a core group's own: plain stores win, by a factor of two, as long as everything
    // fits. On the slow shared one of Intel's servers streaming wins from about 4 MiB of result on.
    return Caches{l2, made_by_amd() && l3 > 0 ? l3 : 4 * l2};
  }();
  return known;
}

}  // namespace yarncore::cpu
