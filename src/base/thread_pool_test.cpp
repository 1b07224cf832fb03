#include "base/thread_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <stdexcept>

#include "base/out_of_memory.hpp"

namespace nibble {
namespace {

TEST(ThreadPool, WhatAPieceThrowsArrivesWhereItWasStarted) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> begun{0};
      EXPECT_THROW(pool.run(200,
                            [&](std::int64_t piece, int) {
                              ++begun;
                              if (piece == 7) throw std::bad_alloc();
                            }),
                   std::bad_alloc);
      EXPECT_GE(begun, 8);
      std::atomic<std::int64_t> sum{0};
      pool.run(100, [&](std::int64_t piece, int) { sum += piece; });
      EXPECT_EQ(sum, 4950) << "the pool works on";
    }
  }
}

TEST(OutOfMemory, BecomesAnErrorThatSaysWhereAndWhatNext) {
  const Result<int> refused = or_out_of_memory("model", "reading", []() -> Result<int> { throw std::bad_alloc(); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::out_of_memory);
  EXPECT_EQ(refused.error().exit_code(), 1);
  for (const char* words : {"model: memory ran out while reading", "ulimit -v", "narrower precision"})
    EXPECT_NE(refused.error().message.find(words), std::string::npos) << refused.error().message;

  const auto system = [](std::errc code) {
    return or_out_of_memory("", "reading",
                            [&]() -> Result<void> { throw std::system_error(std::make_error_code(code), "thread"); });
  };
  EXPECT_EQ(system(std::errc::resource_unavailable_try_again).error().code, Errc::out_of_memory);
  EXPECT_EQ(system(std::errc::io_error).error().code, Errc::io_failure);
  EXPECT_NE(system(std::errc::io_error).error().message.find("thread"), std::string::npos);

  // Of a caller's callback: passed through.
  EXPECT_THROW(static_cast<void>(
                   or_out_of_memory("", "reading", []() -> Result<void> { throw std::runtime_error("the caller's"); })),
               std::runtime_error);
}

}  // namespace
}  // namespace nibble
