#include "nibble/memory_report.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "measure/compare_json.hpp"

namespace nibble {
namespace {

// So many bytes that every figure differs from every other.
MemoryReport numbered(std::uint64_t unit) {
  MemoryReport report;
  for (const PurposeFacts& p : purposes) report.at(p.purpose) = unit *= 2;
  report.mapped = unit * 2;
  return report;
}

TEST(MemoryCheck, AsATableHasALinePerPurpose) {
  MemoryCheck check;
  check.predicted = numbered(1'000);
  check.measured = numbered(3'000);
  std::istringstream table(to_table(check));
  std::string line;
  std::getline(table, line);  // the heading
  for (const PurposeFacts& p : purposes) {
    ASSERT_TRUE(std::getline(table, line));
    EXPECT_TRUE(line.starts_with(p.label)) << line;
    for (const MemoryReport* report : {&check.predicted, &check.measured})
      EXPECT_NE(line.find(fmt::format(" {:.3f}", double((*report)[p.purpose]) / 1e6)), std::string::npos) << line;
  }
  std::getline(table, line);
  EXPECT_TRUE(line.starts_with("of these mapped")) << line;
}

TEST(MemoryReport, AsJsonHasExactlyThePurposesAndTheTotals) {
  const MemoryReport report = numbered(1);
  const Json json = to_json_object(report);
  for (const PurposeFacts& p : purposes) EXPECT_EQ(json[p.key].get<std::uint64_t>(), report[p.purpose]) << p.key;
  EXPECT_EQ(json["mapped"].get<std::uint64_t>(), report.mapped);
  EXPECT_EQ(json["weights_total"].get<std::uint64_t>(), report.weights_total());
  EXPECT_EQ(json["total"].get<std::uint64_t>(), report.total());
  EXPECT_EQ(json.size(), std::size(purposes) + 3);
}

}  // namespace
}  // namespace nibble
