#include "tensor/allocator.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nibble {
namespace {

TEST(Purposes, EachHasALineWithAKeyAndALabelOfItsOwn) {
  std::set<std::string_view> keys, labels;
  for (std::size_t i = 0; i < purpose_count; ++i) {
    const Purpose purpose = reported_as(Purpose(i));
    const PurposeFacts& facts = facts_of(purpose);
    EXPECT_EQ(facts.purpose, purpose) << "the lines stand in the order of the enum";
    EXPECT_FALSE(facts.key.empty() || facts.label.empty()) << i;
    keys.insert(facts.key);
    labels.insert(facts.label);
  }
  EXPECT_EQ(std::size(purposes), purpose_count - 1) << "workspace is reported with the activations";
  EXPECT_EQ(keys.size(), std::size(purposes));
  EXPECT_EQ(labels.size(), std::size(purposes));
}

MemoryReport numbered(int device) {
  MemoryReport report;
  std::uint64_t next = 1;
  for (const PurposeFacts& p : purposes) {
    report.at(p.purpose, device) = next;
    next *= 2;
  }
  return report;
}

TEST(MemoryReport, TotalsAreSumsOverPurposesAndDevices) {
  for (const int device : {MemoryReport::host, 1, MemoryReport::most_devices - 1}) {
    MemoryReport report = numbered(device);
    EXPECT_EQ(report.total(), (std::uint64_t(1) << std::size(purposes)) - 1);
    std::uint64_t weights = 0, groups = 0;
    for (const PurposeFacts& p : purposes) {
      EXPECT_EQ(report.on(device, p.purpose), report[p.purpose]) << p.label;
      if (is_weight(p)) weights += report[p.purpose];
    }
    for (std::size_t i = 0; i < memory_group_count; ++i) groups += report[MemoryGroup(i)];
    EXPECT_EQ(report.weights_total(), weights);
    EXPECT_EQ(report.total(), groups) << "each purpose is in one group";
    report += numbered(MemoryReport::host);
    for (const PurposeFacts& p : purposes) EXPECT_EQ(report[p.purpose], 2 * numbered(device)[p.purpose]) << p.label;
  }
}

TEST(MemoryReport, RaisingTakesTheHigherOfEachPurposeOnEachDevice) {
  MemoryReport report, other;
  report.at(Purpose::kv_cache) = 5;
  report.at(Purpose::kv_cache, 1) = 1;
  report.mapped = 7;
  other.at(Purpose::kv_cache) = 2;
  other.at(Purpose::kv_cache, 1) = 4;
  other.at(Purpose::norms) = 3;
  other.mapped = 6;
  report.raise(other);
  EXPECT_EQ(report.on(MemoryReport::host, Purpose::kv_cache), 5u);
  EXPECT_EQ(report.on(1, Purpose::kv_cache), 4u);
  EXPECT_EQ(report[Purpose::norms], 3u);
  EXPECT_EQ(report.mapped, 7u);
}

TEST(MemoryReport, WorkspaceIsCountedWithTheActivations) {
  MemoryReport report;
  report.at(Purpose::activations) = 2;
  report.at(Purpose::workspace) += 3;
  EXPECT_EQ(report[Purpose::activations], 5u);
  EXPECT_EQ(report.total(), 5u);
}

}  // namespace
}  // namespace nibble
