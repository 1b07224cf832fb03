// Rows handed out to threads.
#pragma once

#include <algorithm>

#include "base/thread_pool.hpp"

namespace nibble {

// job(row) for every row, in the caller's thread where waking others would cost more.
template <class Job>
void over_rows(ThreadPool& pool, std::int64_t rows, std::int64_t cols, Job job) {
  if (rows * cols < 65536) {
    for (std::int64_t r = 0; r < rows; ++r) job(r);
    return;
  }
  constexpr std::int64_t step = 8;
  pool.run((rows + step - 1) / step, [&](std::int64_t piece, int) {
    for (std::int64_t r = piece * step; r < std::min(rows, (piece + 1) * step); ++r) job(r);
  });
}

}  // namespace nibble
