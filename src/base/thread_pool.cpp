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

// Decoding one token runs hundreds of short jobs back to back: a thread spins this many times before it sleeps, which
// covers the gap between two jobs (some microseconds) and costs nothing measurable once generation has ended. Where
// others want the processor, it sleeps soon enough for the thread that it waits for to get its turn.
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
  std::condition_variable wake, done;
  // The number of the job in the upper half; in the lower one how many workers are at it, and whether more may join. A
  // worker that the system has not run in time joins nothing, and nobody waits for it.
  std::atomic<std::uint64_t> gate{0};
  static constexpr std::uint64_t open = std::uint64_t(1) << 31, one_job = std::uint64_t(1) << 32;
  std::atomic<int> sleeping{0};
  std::atomic<bool> caller_sleeps{false}, stop{false};
  std::atomic<std::int64_t> next{0};
  std::int64_t pieces = 0;
  const std::function<void(std::int64_t, int)>* job = nullptr;
  std::exception_ptr problem;  // the first that a piece threw, under `mutex`

  static std::uint64_t job_number(std::uint64_t gate) { return gate / one_job; }
  static bool has_workers(std::uint64_t gate) { return gate % one_job % open != 0; }

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

  bool join(std::uint64_t number) {
    std::uint64_t seen = gate.load(std::memory_order_acquire);
    while (job_number(seen) == number && (seen & open))
      if (gate.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel)) return true;
    return false;
  }

  void leave() {
    const std::uint64_t after = gate.fetch_sub(1, std::memory_order_seq_cst) - 1;
    if (has_workers(after) || (after & open) || !caller_sleeps.load(std::memory_order_seq_cst)) return;
    std::lock_guard lock(mutex);
    done.notify_one();
  }

  void loop(int thread) {
    std::uint64_t last = 0;
    const auto news = [&] { return job_number(gate.load(std::memory_order_seq_cst)) != last; };
    for (;;) {
      for (int spin = 0; !news() && spin < spins_before_sleep; ++spin) pause_briefly();
      if (!news()) {
        std::unique_lock lock(mutex);
        sleeping.fetch_add(1);
        wake.wait(lock, news);
        sleeping.fetch_sub(1);
      }
      last = job_number(gate.load(std::memory_order_acquire));
      if (stop.load()) return;
      if (!join(last)) continue;
      work(thread);
      leave();
    }
  }

  // A new job, or the end, for everybody.
  void announce(std::uint64_t flags) {
    const std::uint64_t number = job_number(gate.load(std::memory_order_relaxed)) + 1;
    gate.store(number * one_job + flags, std::memory_order_seq_cst);
    if (sleeping.load(std::memory_order_seq_cst) == 0) return;
    std::lock_guard lock(mutex);
    wake.notify_all();
  }

  // Nobody joins any more; returns when who did has left.
  void close() {
    gate.fetch_and(~open, std::memory_order_seq_cst);
    const auto empty = [&] { return !has_workers(gate.load(std::memory_order_seq_cst)); };
    for (int spin = 0; !empty() && spin < spins_before_sleep; ++spin) pause_briefly();
    if (empty()) return;
    std::unique_lock lock(mutex);
    caller_sleeps = true;
    done.wait(lock, empty);
    caller_sleeps = false;
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
  state_->announce(0);
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
  s.announce(State::open);
  s.work(0);
  s.close();
  if (s.problem) std::rethrow_exception(std::exchange(s.problem, nullptr));
}

}  // namespace nibble
