#include "cpu/cpu_backend.hpp"

#include <gtest/gtest.h>

namespace nibble {
namespace {

TEST(CpuBackend, EveryTargetThatThisProcessorHasCanBeMadeAndTheBestIsTakenByDefault) {
  std::string best = "reference";
  for (const CpuTarget& target : cpu_targets()) {
    const auto backend = make_cpu_backend({.threads = 1, .target = std::string(target.name)});
    EXPECT_EQ(bool(backend), target.here) << target.name;
    if (backend && best == "reference") best = (*backend)->name();
    if (!backend) {
      EXPECT_EQ(backend.error().code, Errc::unsupported);
    }
  }
  EXPECT_EQ(make_cpu_backend({.threads = 1, .target = ""}).value()->name(), best);
}

TEST(CpuBackend, UnknownTargetsAndThreadCountsAreRefusedWithTheChoices) {
  const auto unknown = make_cpu_backend({.threads = 1, .target = "sse9"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::bad_request);
  for (const CpuTarget& target : cpu_targets())
    EXPECT_NE(unknown.error().message.find(target.name), std::string::npos) << target.name;
  EXPECT_FALSE(make_cpu_backend({.threads = -1, .target = ""}));
  EXPECT_TRUE(make_cpu_backend({.threads = 1, .target = "scalar"}));
}

}  // namespace
}  // namespace nibble
