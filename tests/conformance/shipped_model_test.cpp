// The shipped model in fp32 against losses and logits that transformers computed in float64
// (tools/golden/shipped_model.py).
#include "../made/targets.hpp"
#include "golden_tensors.hpp"

namespace nibble {
namespace {

using ShippedModel = OnTarget;

TEST_P(ShippedModel, AgreesWithFloat64InFp32) {
  LoadOptions options;
  options.precision = Precision::fp32;
  options.cpu_target = GetParam();
  auto loaded = load_model(std::string(NIBBLE_SOURCE_DIR) + "/models/gutenberg-16m", options);
  ASSERT_TRUE(loaded) << loaded.error().message;
  const GoldenTensors golden("gutenberg_16m_fp32.safetensors");
  const auto ids = golden.get<std::int32_t>("input_ids");
  const auto nll = golden.get<float>("nll"), logits = golden.get<float>("logits_last16");
  std::vector<std::int64_t> last16;
  for (std::int64_t position = 240; position < 256; ++position) last16.push_back(position);
  const Computed computed = compute(**loaded, ids, last16, 1);
  ASSERT_EQ(computed.nll.size(), 255u);
  ASSERT_EQ(nll.size(), 255u);
  ASSERT_EQ(computed.logits.size(), logits.size());
  Deviation of_nll, of_logits;
  for (std::size_t i = 0; i < nll.size(); ++i) of_nll.add(computed.nll[i], nll[i]);
  for (std::size_t i = 0; i < logits.size(); ++i) of_logits.add(computed.logits[i], logits[i]);
  expect_as_near_as_fp32(of_nll, golden.get<float>("fp32_error.nll"));
  expect_as_near_as_fp32(of_logits, golden.get<float>("fp32_error.logits"));
  RecordProperty("deviation", fmt::format("logits {:.2g} rms {:.2g}, losses {:.2g} rms {:.2g}", of_logits.largest,
                                          of_logits.rms(), of_nll.largest, of_nll.rms()));
}

INSTANTIATE_TEST_SUITE_P(OnEveryTarget, ShippedModel, testing::ValuesIn(every_target()), name_of_target);

}  // namespace
}  // namespace nibble
