#include "caches.h"

#include <unistd.h>

#include <cstdio>

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstring>
#endif

namespace yarncore::cpu {
namespace {

// The kernel's own account comes first: sysconf reports the sum of all last-level caches of a socket on some CPUs.
int64_t size_of(int level, int64_t otherwise) {
  char path[64];
  std::snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", level);
  if (std::FILE* file = std::fopen(path, "r")) {
    long long size = 0;
    char unit = 'K';
    const int read = std::fscanf(file, "%lld%c", &size, &unit);
    std::fclose(file);
    if (read == 2 && size > 0) return size << (unit == 'M' ? 20 : 10);
  }
#if defined(_SC_LEVEL2_CACHE_SIZE) && defined(_SC_LEVEL3_CACHE_SIZE)
  const long size = sysconf(level == 2 ? _SC_LEVEL2_CACHE_SIZE : _SC_LEVEL3_CACHE_SIZE);
  if (size > 0) return size;
#endif
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
    const bool amd = made_by_amd();
    return Caches{l2, amd && l3 > 0 ? l3 : 4 * l2, !amd};
  }();
  return known;
}

}  // namespace yarncore::cpu
