// The pool of threads. Four facts: the caller is thread 0 and starts at once; workers start lazily, look for more
// work for a moment, then sleep on a condition variable, and are dropped in a forked child; work is cut into chunks
// that an atomic counter hands out, so that nobody waits for a worker that has not started; the work must not throw
// across threads (the first exception is carried back to the caller).
#pragma once

#include <cstdint>
#include <functional>

namespace yarncore::cpu {

constexpr int max_threads = 1024;

// How many threads a call may use. By default OMP_NUM_THREADS, else the CPUs this process may run on.
int thread_count();
void set_thread_count(int count);

// Whether a worker would start at once: waking one takes tens of microseconds.
bool helpers_awake();

// Calls work(begin, end) over disjoint ranges that make up [0, count), on up to `threads` threads. Ranges begin at
// multiples of `grain`.
void parallel_for(int64_t count, int threads, int64_t grain, const std::function<void(int64_t, int64_t)>& work);

}  // namespace yarncore::cpu
