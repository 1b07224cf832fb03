#include "engine/backends.hpp"

#include <gtest/gtest.h>

#include "base/thread_pool.hpp"

namespace nibble {
namespace {

TEST(Backends, TheHostIsAlwaysThereAndListedOnce) {
  const std::vector<std::string> here = devices();
  EXPECT_EQ(std::count(here.begin(), here.end(), "cpu"), 1);
  EXPECT_EQ(std::count(here.begin(), here.end(), automatic), 0) << "a wish, and no device";
}

TEST(Backends, EveryListedDeviceIsMadeAndAutoTakesTheFirst) {
  std::vector<std::string> names;
  for (const std::string& device : devices()) {
    const auto backend = make_backend({.device = device, .threads = 1});
    ASSERT_TRUE(backend) << device << ": " << backend.error().message;
    names.emplace_back((*backend)->name());
    EXPECT_TRUE(check_device(device));
  }
  const auto best = make_backend({.threads = 1});
  ASSERT_TRUE(best);
  EXPECT_EQ((*best)->name(), names.front());
  EXPECT_TRUE(check_device(automatic));
}

TEST(Backends, AnAllocatorThatIsNamedIsTheOneThatPays) {
  for (const std::string& device : devices()) {
    const auto memory = std::make_shared<CountingAllocator>();
    const auto backend = make_backend({.device = device, .threads = 1, .memory = memory});
    ASSERT_TRUE(backend) << device;
    EXPECT_EQ(&(*backend)->memory(), memory.get()) << device;
  }
}

TEST(Backends, WhatIsNotHereIsRefusedWithWhatIs) {
  for (const std::string wanted : {"tpu", "cuda:1", "CPU", ""}) {
    for (const Error& problem :
         {make_backend({.device = wanted}).error(), measure_peaks(wanted, 1).error(), check_device(wanted).error()}) {
      EXPECT_EQ(problem.exit_code(), 2);
      for (const std::string& word : {"no device \"" + wanted + "\" here", std::string("choose cpu or auto")})
        EXPECT_NE(problem.message.find(word), std::string::npos) << problem.message;
    }
  }
}

TEST(Backends, ADeviceIsMeasuredByItsName) {
  const auto peaks = measure_peaks("cpu", 1);
  ASSERT_TRUE(peaks);
  EXPECT_EQ(peaks->threads, 1);
  EXPECT_GT(peaks->read_gbs, 0);
  EXPECT_GT(peaks->fp32_gflops, 0);
}

}  // namespace
}  // namespace nibble
