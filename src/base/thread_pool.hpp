// A fixed set of threads that run one job at a time. Work is cut into numbered pieces by the caller; which thread runs
// a piece never changes its result, so results are the same bits for any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace nibble {

class ThreadPool {
 public:
  // threads <= 0: the number of cores this process may use (affinity and cgroup quota respected).
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;

  // Runs job(piece, thread) for piece in [0, pieces), thread in [0, size()), and waits. The caller's thread takes part
  // as thread 0. Pieces are handed out in order, one at a time. Not reentrant: a job must not call run. What a piece
  // throws, on whichever thread, is thrown here once all have stopped; pieces that nobody had begun are then left out.
  void run(std::int64_t pieces, const std::function<void(std::int64_t piece, int thread)>& job);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Cores this process may use: the affinity mask, cut by the cgroup's CPU quota.
int usable_cores();

}  // namespace nibble
