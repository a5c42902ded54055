#include "threads.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace yarncore::cpu {
namespace {

int default_thread_count() {
  // "4,2" names the levels of nested regions: the first counts. Anything that is no number is ignored.
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (end != text && (*end == '\0' || *end == ',') && value >= 1)
      return static_cast<int>(std::min<long>(value, max_threads));
  }
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::clamp(CPU_COUNT(&allowed), 1, max_threads);
#endif
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, max_threads);
}

std::atomic<int>& configured_count() {
  static std::atomic<int> count{default_thread_count()};
  return count;
}

struct Job {
  const std::function<void(int64_t, int64_t)>* work;
  int64_t count, chunk;
  std::atomic<int64_t> next{0};
  std::atomic<int64_t> finished{0};
  std::atomic<int> helpers_wanted{0};
  std::mutex mutex;
  std::condition_variable done;
  std::exception_ptr error;

  // Works until no chunk is left. A late worker finds none, and never touches `work`.
  void run() {
    for (;;) {
      const int64_t begin = next.fetch_add(chunk);
      if (begin >= count) return;
      const int64_t end = std::min(count, begin + chunk);
      try {
        (*work)(begin, end);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
      }
      if (finished.fetch_add(end - begin) + (end - begin) == count) {
        const std::lock_guard lock(mutex);
        done.notify_all();
      }
    }
  }
  void wait() {
    std::unique_lock lock(mutex);
    done.wait(lock, [this] { return finished.load() == count; });
  }
};

class Pool {
 public:
  void submit(const std::shared_ptr<Job>& job, int helpers) {
    {
      const std::lock_guard lock(mutex_);
      while (workers_ < helpers && start_worker()) {
      }
      job->helpers_wanted = std::min(helpers, workers_);
      if (job->helpers_wanted == 0) return;
      jobs_.push_back(job);
      queued_.store(static_cast<int>(jobs_.size()));
    }
    helpers == 1 ? wake_.notify_one() : wake_.notify_all();
  }
  void withdraw(const std::shared_ptr<Job>& job) {
    const std::lock_guard lock(mutex_);
    jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), job), jobs_.end());
    queued_.store(static_cast<int>(jobs_.size()));
  }
  bool awake() const { return awake_.load() > 0; }

 private:
  // False where the system gives no more threads: the caller then does the work.
  bool start_worker() {
    try {
      std::thread([this] { serve(); }).detach();
    } catch (const std::system_error&) {
      return false;
    }
    ++workers_;
    return true;
  }
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return !jobs_.empty(); });
      ++awake_;
      while (!jobs_.empty()) {
        const std::shared_ptr<Job> job = jobs_.front();
        if (--job->helpers_wanted <= 0) jobs_.pop_front();
        queued_.store(static_cast<int>(jobs_.size()));
        lock.unlock();
        job->run();
        look_for_more();
        lock.lock();
      }
      --awake_;
    }
  }
  // Short, so as not to take a processor from the threads of others.
  void look_for_more() const {
    constexpr auto moment = std::chrono::microseconds(20);
    const auto end = std::chrono::steady_clock::now() + moment;
    while (queued_.load() == 0 && std::chrono::steady_clock::now() < end) {
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  std::atomic<int> queued_{0}, awake_{0};
  int workers_ = 0;
};

// Never destroyed: workers sleep on it until the process ends. A forked child has no workers and perhaps a locked
// mutex, so it forgets the pool and starts its own when it needs one.
std::atomic<Pool*> current_pool{nullptr};
std::mutex* creation = new std::mutex;

Pool& pool() {
  if (Pool* existing = current_pool.load()) return *existing;
  const std::lock_guard lock(*creation);
  if (!current_pool.load()) {
    static const int registered = pthread_atfork(nullptr, nullptr, [] {
      current_pool.store(nullptr);
      creation = new std::mutex;
    });
    (void)registered;
    current_pool.store(new Pool);
  }
  return *current_pool.load();
}

}  // namespace

int thread_count() { return configured_count().load(); }

void set_thread_count(int count) { configured_count().store(std::clamp(count, 1, max_threads)); }

bool helpers_awake() {
  const Pool* existing = current_pool.load();
  return existing && existing->awake();
}

void parallel_for(int64_t count, int threads, int64_t grain, const std::function<void(int64_t, int64_t)>& work) {
  if (threads <= 1) {
    work(0, count);
    return;
  }
  const auto job = std::make_shared<Job>();
  job->work = &work;
  job->count = count;
  // Several chunks a thread, so that one that is held up does not hold up the call.
  const int64_t chunk = std::max<int64_t>(1, count / (threads * 4));
  job->chunk = (chunk + grain - 1) / grain * grain;
  Pool& shared = pool();
  shared.submit(job, threads - 1);
  job->run();
  shared.withdraw(job);
  job->wait();
  if (job->error) std::rethrow_exception(job->error);
}

}  // namespace yarncore::cpu
