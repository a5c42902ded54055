#include "caches.h"

#include <unistd.h>

#include <cstdio>

namespace yarncore::cpu {
namespace {

int64_t read_own_cache() {
  if (std::FILE* file = std::fopen("/sys/devices/system/cpu/cpu0/cache/index2/size", "r")) {
    long long size = 0;
    char unit = 'K';
    const int read = std::fscanf(file, "%lld%c", &size, &unit);
    std::fclose(file);
    if (read == 2 && size > 0) return size << (unit == 'M' ? 20 : 10);
  }
#if defined(_SC_LEVEL2_CACHE_SIZE)
  if (const long size = sysconf(_SC_LEVEL2_CACHE_SIZE); size > 0) return size;
#endif
  return 1 << 20;
}

}  // namespace

int64_t own_cache() {
  static const int64_t size = read_own_cache();
  return size;
}

}  // namespace yarncore::cpu
