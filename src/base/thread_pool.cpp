#include "base/thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
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

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

// Decoding one token runs hundreds of short jobs back to back: a worker spins so long before it sleeps, which covers
// what the caller does alone between two of them.
constexpr Clock::duration worker_spin = microseconds(300);
// The caller spins for a fraction of the time that it worked, and this: a worker that the system has taken off its
// core gets the caller's core only when the caller sleeps.
constexpr Clock::duration caller_spin = microseconds(50);
// The last piece of whoever ends last takes about as long as all that the others did before. One that took so much
// longer was not running.
constexpr Clock::duration held_up_beyond = microseconds(200);
// So many times as long as was lost, one worker fewer takes part: trying again costs one part in so many.
constexpr int pause_per_loss = 16;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

template <class Ready>
bool spin_until(Ready ready, Clock::duration limit) {
  for (const auto end = Clock::now() + limit;;) {
    for (int i = 0; i < 16; ++i) {
      if (ready()) return true;
      pause_briefly();
    }
    if (Clock::now() >= end) return ready();
  }
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
  std::condition_variable wake, done, readmitted;
  // The number of the job in the upper half; in the lower one how many workers are at it, and whether more may join. A
  // worker that the system has not run in time joins nothing, and nobody waits for it.
  std::atomic<std::uint64_t> gate{0};
  static constexpr std::uint64_t open = std::uint64_t(1) << 31, one_job = std::uint64_t(1) << 32;
  std::atomic<int> sleeping{0};
  // Workers 1 to `admitted` take part. Beside other programs that want the cores it falls, so that nobody waits for a
  // thread that does not run; after a pause it rises again. The caller alone changes it.
  std::atomic<int> admitted{0};
  Clock::time_point rises_at{};
  Clock::duration pause{};
  std::atomic<bool> caller_sleeps{false}, stop{false};
  std::atomic<std::int64_t> next{0};
  std::atomic<Clock::time_point> left_at{};  // when a worker last found no piece any more
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
    left_at.store(Clock::now(), std::memory_order_relaxed);
    const std::uint64_t after = gate.fetch_sub(1, std::memory_order_seq_cst) - 1;
    if (has_workers(after) || (after & open) || !caller_sleeps.load(std::memory_order_seq_cst)) return;
    std::lock_guard lock(mutex);
    done.notify_one();
  }

  void loop(int thread) {
    std::uint64_t last = 0;
    const auto news = [&] { return job_number(gate.load(std::memory_order_seq_cst)) != last; };
    const auto may_work = [&] { return thread <= admitted.load() || stop.load(); };
    for (;;) {
      if (!may_work()) {
        std::unique_lock lock(mutex);
        readmitted.wait(lock, may_work);
      }
      if (!spin_until(news, worker_spin)) {
        std::unique_lock lock(mutex);
        sleeping.fetch_add(1);
        wake.wait(lock, news);
        sleeping.fetch_sub(1);
      }
      last = job_number(gate.load(std::memory_order_acquire));
      if (stop.load()) return;
      if (!may_work() || !join(last)) continue;
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
  void close(Clock::time_point started) {
    gate.fetch_and(~open, std::memory_order_seq_cst);
    const auto empty = [&] { return !has_workers(gate.load(std::memory_order_seq_cst)); };
    const auto ended = Clock::now();
    const auto worked = ended - started;
    if (!spin_until(empty, caller_spin + worked / 4)) {
      std::unique_lock lock(mutex);
      caller_sleeps = true;
      done.wait(lock, empty);
      caller_sleeps = false;
    }
    const auto left = left_at.load(std::memory_order_relaxed);
    if (left <= started) return;  // nobody joined
    const auto first = std::min(left, ended), last = std::max(left, ended);
    if (last - first > first - started + held_up_beyond) admit_fewer(last - first);
  }

  void admit_fewer(Clock::duration lost) {
    admitted.store(std::max(0, admitted.load() - 1));
    pause = lost * pause_per_loss;
    rises_at = Clock::now() + pause;
  }

  void admit_all() {
    std::lock_guard lock(mutex);
    admitted = int(threads.size());
    readmitted.notify_all();
  }

  void admit_more(Clock::time_point now) {
    if (admitted.load() == int(threads.size()) || now < rises_at) return;
    rises_at = now + pause;
    std::lock_guard lock(mutex);
    admitted.fetch_add(1);
    readmitted.notify_all();
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
  state_->admit_all();
}

ThreadPool::~ThreadPool() {
  state_->stop = true;
  state_->announce(0);
  state_->admit_all();
  for (auto& thread : state_->threads) thread.join();
}

int ThreadPool::size() const { return int(state_->threads.size()) + 1; }

void ThreadPool::run(std::int64_t pieces, const std::function<void(std::int64_t, int)>& job) {
  if (pieces <= 0) return;
  State& s = *state_;
  const auto started = Clock::now();
  s.admit_more(started);
  if (s.admitted.load() == 0 || pieces == 1) {
    for (std::int64_t piece = 0; piece < pieces; ++piece) job(piece, 0);
    return;
  }
  s.job = &job;
  s.pieces = pieces;
  s.next.store(0, std::memory_order_relaxed);
  s.announce(State::open);
  s.work(0);
  s.close(started);
  if (s.problem) std::rethrow_exception(std::exchange(s.problem, nullptr));
}

}  // namespace nibble
