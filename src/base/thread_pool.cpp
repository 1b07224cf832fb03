#include "base/thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace nibble {
namespace {

// Decoding one token runs hundreds of short jobs back to back: a worker spins this many times before it sleeps, which
// covers the gap between two jobs (some microseconds) and costs nothing measurable once generation has ended.
constexpr int spins_before_sleep = 20000;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

int usable_cores() {
  cpu_set_t set;
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : int(std::thread::hardware_concurrency());
  std::ifstream quota("/sys/fs/cgroup/cpu.max");
  std::string limit;
  double period = 0;
  if (quota >> limit >> period && limit != "max" && period > 0)
    if (const double share = std::strtod(limit.c_str(), nullptr); share > 0)
      cores = std::min(cores, std::max(1, int(std::min(share / period, 1e6) + 0.5)));
  return std::max(1, cores);
}

struct ThreadPool::State {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<std::uint64_t> generation{0};  // counts jobs; a worker that sees a new number has work
  std::atomic<int> sleeping{0};
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> next{0};
  std::atomic<int> busy{0};
  std::int64_t pieces = 0;
  const std::function<void(std::int64_t, int)>* job = nullptr;
  std::exception_ptr problem;  // the first that a piece threw, under `mutex`

  void work(int thread) {
    try {
      for (;;) {
        const auto piece = next.fetch_add(1, std::memory_order_relaxed);
        if (piece >= pieces) return;
        (*job)(piece, thread);
      }
    } catch (...) {
      next.store(pieces, std::memory_order_relaxed);  // the others end after the piece that they are at
      std::lock_guard lock(mutex);
      if (!problem) problem = std::current_exception();
    }
  }

  void loop(int thread) {
    std::uint64_t seen = 0;
    for (;;) {
      for (int spin = 0; generation.load(std::memory_order_acquire) == seen && spin < spins_before_sleep; ++spin)
        pause_briefly();
      if (generation.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex);
        sleeping.fetch_add(1);
        wake.wait(lock, [&] { return generation.load(std::memory_order_acquire) != seen; });
        sleeping.fetch_sub(1);
      }
      seen = generation.load(std::memory_order_acquire);
      if (stop.load()) return;
      work(thread);
      busy.fetch_sub(1, std::memory_order_release);
    }
  }

  void announce() {
    generation.fetch_add(1, std::memory_order_seq_cst);
    if (sleeping.load(std::memory_order_seq_cst) > 0) {
      std::lock_guard lock(mutex);
      wake.notify_all();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads <= 0) threads = usable_cores();
  state_->threads.reserve(std::size_t(threads - 1));  // growing among threads that run could fail
  // A system that gives no more threads (a limit on memory or processes) leaves fewer; results are the same.
  try {
    for (int t = 1; t < threads; ++t) state_->threads.emplace_back([state = state_.get(), t] { state->loop(t); });
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
}

ThreadPool::~ThreadPool() {
  state_->stop = true;
  state_->generation.fetch_add(1);
  {
    std::lock_guard lock(state_->mutex);
    state_->wake.notify_all();
  }
  for (auto& thread : state_->threads) thread.join();
}

int ThreadPool::size() const { return int(state_->threads.size()) + 1; }

void ThreadPool::run(std::int64_t pieces, const std::function<void(std::int64_t, int)>& job) {
  if (pieces <= 0) return;
  State& s = *state_;
  if (s.threads.empty() || pieces == 1) {
    for (std::int64_t piece = 0; piece < pieces; ++piece) job(piece, 0);
    return;
  }
  s.job = &job;
  s.pieces = pieces;
  s.next.store(0, std::memory_order_relaxed);
  s.busy.store(int(s.threads.size()), std::memory_order_relaxed);
  s.announce();
  s.work(0);
  while (s.busy.load(std::memory_order_acquire) != 0) pause_briefly();
  if (s.problem) std::rethrow_exception(std::exchange(s.problem, nullptr));
}

}  // namespace nibble
