// main() of every test program: googletest's, and at the end each reason for which tests were skipped, counted.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <string>

int main(int count, char** arguments) {
  testing::InitGoogleTest(&count, arguments);
  const int status = RUN_ALL_TESTS();
  std::map<std::string, int> reasons;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s) {
    const testing::TestSuite& suite = *all.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); ++t)
      if (const testing::TestResult& result = *suite.GetTestInfo(t)->result(); result.Skipped())
        ++reasons[result.GetTestPartResult(0).message()];
  }
  for (const auto& [reason, tests] : reasons) std::printf("skipped: %d tests: %s\n", tests, reason.c_str());
  return status;
}
