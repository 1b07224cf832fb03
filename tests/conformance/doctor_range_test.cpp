// What `doctor` says of ranges: activations against transformers in float64, damage by its name and count.
#include <gtest/gtest.h>

#include "../made/damaged_model.hpp"
#include "doctor_sample.hpp"
#include "golden_tensors.hpp"

namespace nibble {
namespace {

const ValueRange& named(const std::vector<ValueRange>& ranges, const std::string& name) {
  for (const ValueRange& range : ranges)
    if (range.name == name) return range;
  ADD_FAILURE() << "no " << name;
  return ranges.front();
}

bool some_finding_says(const RangeReport& report, const std::string& text) {
  for (const Finding& finding : report.findings)
    if (finding.what.find(text) != std::string::npos) return true;
  return false;
}

TEST(DoctorRange, SeesTheActivationsThatTransformersComputes) {
  const GoldenTensors golden("ranges.safetensors");
  const std::size_t tokens = golden.get<std::int64_t>("ids").size();
  const auto report = examine_range(shipped, sample(std::int64_t(tokens)));
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->activations.size(), 1u + 8 * 11 + 2);
  Deviation shares;  // of what float64 gives; neighbouring places differ by 0.7 % at least
  for (const ValueRange& seen : report->activations) {
    const std::string key = "place_" + seen.name;
    ASSERT_TRUE(golden.has(key)) << seen.name;
    const double expected = golden.get<double>(key).front();
    shares.add(seen.largest / expected, 1);
    EXPECT_EQ(seen.nonfinite, 0u);
    EXPECT_EQ(seen.values % tokens, 0u) << seen.name;
  }
  expect_as_near_as_fp32(shares, golden.get<float>("fp32_error"));
  EXPECT_EQ(report->weights.size(), 90u);
  EXPECT_EQ(report->all_weights.values, 15'736'192u);
  EXPECT_EQ(report->all_weights.changed_by_bf16, 0u) << "they are stored in bf16";
  EXPECT_EQ(report->without_bf16_hardware, Precision::fp16);
  EXPECT_TRUE(some_finding_says(*report, "fp16 holds this model"));
}

TEST(DoctorRange, ATextOfSeveralPassesIsSeenWhole) {
  const auto report = examine_range(shipped, sample(700));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(named(report->activations, "model.layers.3.mlp.down_proj input").values, 700u * 1024);
}

TEST(DoctorRange, NamesWeightsBeyondFp16AndCountsSubnormals) {
  const made::Folder folder("doctor-weights");
  made::fs::copy(shipped, folder / "model");
  const std::string damaged = "model.layers.2.mlp.gate_proj.weight", quiet = "model.layers.5.self_attn.v_proj.weight";
  made::change_tensor(folder / "model", damaged, [](made::Bf16Matrix& m) {
    m.set(0, 0, 65536);
    m.set(1, 1, -1e6f);
    m.set(2, 2, 65024);  // the last fits
  });
  std::uint64_t subnormal = 0;
  made::change_tensor(folder / "model", quiet, [&](made::Bf16Matrix& m) {
    for (std::int64_t c = 0; c < m.cols(); ++c) m.set(0, c, c % 2 ? 5e-5f : 1e-9f);
    for (std::int64_t r = 0; r < m.rows(); ++r)
      for (std::int64_t c = 0; c < m.cols(); ++c)
        subnormal += m.get(r, c) != 0 && std::fabs(m.get(r, c)) < 6.103515625e-5f;
  });
  const auto report = examine_range(folder / "model", sample(32));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(named(report->weights, damaged).beyond_fp16, 2u);
  EXPECT_EQ(report->all_weights.beyond_fp16, 2u);
  EXPECT_EQ(named(report->weights, quiet).below_fp16_normal, subnormal);
  EXPECT_GE(named(report->weights, quiet).zero_in_fp16, 192u);
  EXPECT_TRUE(some_finding_says(*report, "2 weights are beyond fp16's largest value, 65504: " + damaged + " (2,"));
  EXPECT_EQ(report->on_this_machine, Precision::bf16);
  EXPECT_EQ(report->without_bf16_hardware, Precision::fp32);
}

TEST(DoctorRange, NamesActivationsBeyondFp16WhereNoWeightIs) {
  const made::Folder folder("doctor-activations");
  made::fs::copy(shipped, folder / "model");
  made::change_tensor(folder / "model", "model.layers.3.mlp.down_proj.weight", [](made::Bf16Matrix& m) {
    for (std::int64_t r = 0; r < m.rows(); ++r)
      for (std::int64_t c = 0; c < m.cols(); ++c) m.set(r, c, m.get(r, c) * 1024);
  });
  const auto report = examine_range(folder / "model", sample(64));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->all_weights.beyond_fp16, 0u);
  EXPECT_EQ(named(report->activations, "model.layers.2 output").beyond_fp16, 0u);
  EXPECT_GT(named(report->activations, "model.layers.3 output").beyond_fp16, 0u);
  EXPECT_TRUE(
      some_finding_says(*report, "activations are beyond fp16's largest value, 65504: model.layers.3 output ("));
  EXPECT_EQ(report->without_bf16_hardware, Precision::fp32);
}

TEST(DoctorRange, AModelWithoutATokenizerIsExaminedByItsWeights) {
  const made::Folder folder("doctor-bare");
  made::write_llama(folder / "model");
  const auto report = examine_range(folder / "model", sample(32));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->no_activations.empty());
  EXPECT_TRUE(report->activations.empty());
  EXPECT_EQ(report->weights.size(), 11u);
}

TEST(DoctorRange, RefusesATextThatIsTooShortAndStopsWhenAsked) {
  ExamineOptions options = sample(64);
  options.text = "Too short.";
  auto report = examine_range(shipped, options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::bad_request);
  EXPECT_NE(report.error().message.find("tokens, fewer than the 32"), std::string::npos) << report.error().message;
  for (const std::int64_t tokens : {std::int64_t(31), std::int64_t(2049)}) {
    report = examine_range(shipped, sample(tokens));
    ASSERT_FALSE(report);
    EXPECT_NE(report.error().message.find("expected 32 to 2048"), std::string::npos) << report.error().message;
  }
  options = sample(64);
  options.stop = [] { return true; };
  report = examine_range(shipped, options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::cancelled);
}

}  // namespace
}  // namespace nibble
