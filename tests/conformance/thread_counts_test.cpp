// Results are the same bits for any number of threads, on every instruction set and at every precision.
#include "../made/targets.hpp"
#include "golden_tensors.hpp"

namespace nibble {
namespace {

std::vector<std::vector<float>> logits_of(const std::string& target, const QuantizationConfig& precision, int threads) {
  LoadOptions options;
  options.precision = precision;
  options.cpu_target = target;
  options.threads = threads;
  auto loaded = load_model(std::string(NIBBLE_SOURCE_DIR) + "/models/gutenberg-16m", options);
  if (!loaded) {
    ADD_FAILURE() << loaded.error().message;
    return {};
  }
  LoadedModel& model = **loaded;
  std::vector<std::int32_t> ids;
  for (const std::int64_t id : GoldenTensors("gutenberg_16m_fp32.safetensors").get<std::int32_t>("input_ids"))
    ids.push_back(std::int32_t(id));
  // Two sequences in one pass, then each a few tokens further: prefill and decoding take different paths.
  const std::span all(ids);
  std::vector<KvCache> caches;
  for (int i = 0; i < 2; ++i)
    caches.push_back(KvCache::create(model.transformer->config(), *model.backend, model.kv_dtype, 64).value());
  std::vector<std::vector<float>> out(2);
  const auto keep = [&](std::size_t s, std::int64_t, std::span<const float> row) {
    out[s].insert(out[s].end(), row.begin(), row.end());
  };
  std::vector<Slice> slices = {{&caches[0], all.first(40), LogitsOf::last},
                               {&caches[1], all.subspan(100, 17), LogitsOf::last}};
  EXPECT_TRUE(model.transformer->forward(slices, keep));
  for (std::size_t step = 0; step < 2; ++step) {
    slices[0].tokens = all.subspan(40 + step, 1);
    slices[1].tokens = all.subspan(117 + step, 1);
    EXPECT_TRUE(model.transformer->forward(slices, keep));
  }
  return out;
}

using Threads = OnTarget;

TEST_P(Threads, AnyNumberOfThemGivesTheSameBits) {
  for (const QuantizationConfig& precision :
       {QuantizationConfig(Precision::fp32), QuantizationConfig(Precision::bf16), QuantizationConfig(Precision::int8),
        QuantizationConfig::nf4({.double_quant = true})}) {
    const auto one = logits_of(GetParam(), precision, 1);
    EXPECT_FALSE(one.empty());
    EXPECT_EQ(logits_of(GetParam(), precision, 3), one) << precision.label();
  }
}

INSTANTIATE_TEST_SUITE_P(OnEveryTarget, Threads, testing::ValuesIn(every_target_with_kernels()), name_of_target);

}  // namespace
}  // namespace nibble
