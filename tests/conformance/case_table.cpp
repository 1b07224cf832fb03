// At the end of the run: how many cases of every operation ran on which backend, or that it was skipped.
#include <cstdio>
#include <map>

#include "operations.hpp"

namespace nibble {
namespace {

using Row = std::map<std::string, int>;  // cases by backend
std::map<std::string, Row>& counts() {
  static std::map<std::string, Row> all;
  return all;
}

std::string after(const std::string& text, char mark) { return text.substr(text.find(mark) + 1); }

class CaseTable final : public testing::Environment {
  void TearDown() override {
    std::map<std::string, std::map<std::string, std::string>> cells;
    for (const auto& [operation, row] : counts())
      for (const auto& [target, cases] : row) cells[operation][target] = std::to_string(cases);
    const testing::UnitTest& all = *testing::UnitTest::GetInstance();
    for (int s = 0; s < all.total_test_suite_count(); ++s)
      for (int t = 0; t < all.GetTestSuite(s)->total_test_count(); ++t) {
        const testing::TestInfo& test = *all.GetTestSuite(s)->GetTestInfo(t);
        if (!test.result()->Skipped()) continue;
        if (std::string(test.test_suite_name()).starts_with("OnEveryBackend/"))
          cells[after(test.test_suite_name(), '/')][after(test.name(), '/')] = "skipped";
      }
    if (!cells.empty()) print(cells);
  }

  static void print(std::map<std::string, std::map<std::string, std::string>>& cells) {
    std::printf("%-20s", "cases that ran");
    for (const std::string& target : every_target()) std::printf(" %18s", target.c_str());
    for (auto& [operation, row] : cells) {
      std::printf("\n%-20s", operation.c_str());
      for (const std::string& target : every_target()) std::printf(" %18s", row[target].c_str());
    }
    std::printf("\n\n");
  }
};

const testing::Environment* const table = testing::AddGlobalTestEnvironment(new CaseTable);

}  // namespace

void OnBackend::count_case() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  ++counts()[after(test.test_suite_name(), '/')][after(test.name(), '/')];
}

}  // namespace nibble
