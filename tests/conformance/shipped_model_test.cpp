// The shipped model in fp32 against logits that transformers computed in float64.
#include <gtest/gtest.h>

#include <cmath>

#include "golden_tensors.hpp"

namespace nibble {
namespace {

class ShippedModel : public testing::TestWithParam<const char*> {};

TEST_P(ShippedModel, AgreesWithFloat64InFp32) {
  LoadOptions options;
  options.precision = Precision::fp32, options.cpu_target = GetParam();
  auto loaded = load_model(std::string(NIBBLE_SOURCE_DIR) + "/models/gutenberg-16m", options);
  if (!loaded && loaded.error().code == Errc::unsupported) GTEST_SKIP() << loaded.error().message;
  ASSERT_TRUE(loaded) << loaded.error().message;
  LoadedModel& model = **loaded;
  const GoldenTensors expected("gutenberg_16m_fp32.safetensors");
  const auto ids = expected.get<std::int32_t>("input_ids");
  const auto expected_nll = expected.get<float>("nll"), expected_logits = expected.get<float>("logits_last16");
  ASSERT_EQ(ids.size(), 256u);
  ASSERT_EQ(expected_nll.size(), 255u);

  KvCache cache = KvCache::create(model.transformer->config(), *model.backend, model.kv_dtype, 256).value();
  const std::size_t vocabulary = std::size_t(model.transformer->config().vocab_size),
                    kept = expected_logits.size() / vocabulary;
  double worst_logit = 0, worst_nll = 0, sum = 0, expected_sum = 0;
  const Slice slice{&cache, ids, LogitsOf::all};
  const auto done =
      model.transformer->forward({&slice, 1}, [&](std::size_t, std::int64_t position, std::span<const float> logits) {
        if (position + 1 < 256) {
          const double nll = negative_log_likelihood(logits, ids[std::size_t(position + 1)]);
          worst_nll = std::max(worst_nll, std::fabs(nll - expected_nll[std::size_t(position)]));
          sum += nll, expected_sum += expected_nll[std::size_t(position)];
        }
        if (std::size_t(position) + kept >= 256)
          for (std::size_t i = 0; i < vocabulary; ++i)
            worst_logit = std::max(
                worst_logit,
                std::fabs(double(logits[i]) - expected_logits[(std::size_t(position) + kept - 256) * vocabulary + i]));
      });
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(kept, 16u);
  EXPECT_LE(worst_logit, 2e-4);
  EXPECT_LE(worst_nll, 1e-4);
  EXPECT_LE(std::fabs(sum - expected_sum) / 255, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(EveryTarget, ShippedModel, testing::Values("reference", "avx2", "avx512", "avx512_vnni_bf16"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace nibble
