// For tests: what operations can run on, from the one list. A test that is instantiated for each calls target_or_skip()
// in its SetUp(); nothing else is a reason to skip an operation, and the end of the run shows what was skipped.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cpu/cpu_backend.hpp"

namespace nibble {

// Names that LoadOptions::cpu_target takes: the plain reference, and every instruction set with kernels.
inline std::vector<std::string> every_target() {
  std::vector<std::string> names = {"reference"};
  for (const CpuTarget& target : cpu_targets()) names.emplace_back(target.name);
  return names;
}
inline std::vector<std::string> every_target_with_kernels() {
  std::vector<std::string> names = every_target();
  names.erase(names.begin());
  return names;
}

inline void target_or_skip(const std::string& name) {
  for (const CpuTarget& target : cpu_targets())
    if (target.name == name && !target.here) GTEST_SKIP() << "this processor has no " << name;
}

// A suite of tests that runs once for each of them; the parameter is the name.
class OnTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { target_or_skip(GetParam()); }
};

inline std::string name_of_target(const testing::TestParamInfo<std::string>& info) { return info.param; }

}  // namespace nibble
