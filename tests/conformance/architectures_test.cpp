// Tiny random models of every architecture against logits that transformers computed in float64.
#include "../made/targets.hpp"
#include "golden_tensors.hpp"
#include "nibble/generate.hpp"

namespace nibble {
namespace {

const std::string folder = std::string(NIBBLE_SOURCE_DIR) + "/tests/golden/models/";

// Both sequences of a tensor of ids.
std::vector<std::vector<std::int32_t>> two_rows(const std::vector<std::int64_t>& ids) {
  const auto middle = ids.begin() + std::ptrdiff_t(ids.size() / 2);
  return {{ids.begin(), middle}, {middle, ids.end()}};
}

class Architecture : public testing::TestWithParam<std::tuple<const char*, std::string>> {
 protected:
  void SetUp() override { target_or_skip(std::get<1>(GetParam())); }
};

TEST_P(Architecture, GivesTheLogitsOfTransformersAloneAndInOneBatch) {
  const auto [name, target] = GetParam();
  LoadOptions options;
  options.precision = Precision::fp32;
  options.cpu_target = target;
  auto loaded = load_model(folder + name, options);
  ASSERT_TRUE(loaded) << loaded.error().message;
  LoadedModel& model = **loaded;
  const GoldenTensors golden(std::string("models/") + name + ".expected.safetensors");
  const std::vector<float> logits = golden.get<float>("logits");
  const std::vector<std::vector<std::int32_t>> tokens = two_rows(golden.get<std::int64_t>("input_ids"));
  const std::size_t sequences = tokens.size(), length = tokens[0].size(),
                    vocabulary = std::size_t(model.transformer->config().vocab_size);
  ASSERT_EQ(logits.size(), sequences * length * vocabulary);

  std::vector<KvCache> caches;
  for (std::size_t s = 0; s < sequences; ++s)
    caches.push_back(
        KvCache::create(model.transformer->config(), *model.backend, DType::f32, std::int64_t(length)).value());
  std::vector<std::vector<float>> alone(sequences), together(sequences);
  for (std::size_t s = 0; s < sequences; ++s) {
    const Slice slice{&caches[s], tokens[s], LogitsOf::all};
    ASSERT_TRUE(model.transformer->forward({&slice, 1}, [&](std::size_t, std::int64_t, std::span<const float> row) {
      alone[s].insert(alone[s].end(), row.begin(), row.end());
    }));
    caches[s].truncate(0);
  }
  std::vector<Slice> slices;
  for (std::size_t s = 0; s < sequences; ++s) slices.push_back({&caches[s], tokens[s], LogitsOf::all});
  ASSERT_TRUE(model.transformer->forward(slices, [&](std::size_t s, std::int64_t, std::span<const float> row) {
    together[s].insert(together[s].end(), row.begin(), row.end());
  }));

  Deviation deviation;
  for (std::size_t s = 0; s < sequences; ++s) {
    EXPECT_EQ(alone[s], together[s]) << "a sequence has the same bits alone and in a batch";
    ASSERT_EQ(alone[s].size(), length * vocabulary);
    for (std::size_t i = 0; i < alone[s].size(); ++i) deviation.add(alone[s][i], logits[s * length * vocabulary + i]);
  }
  expect_as_near_as_fp32(deviation, golden.get<float>("fp32_error"));
}

// Every greedy choice of these prompts leads by .01 or more, a hundred times the bar above.
TEST_P(Architecture, GeneratesTheTokensOfTransformersAloneAndInOneBatch) {
  const auto [name, target] = GetParam();
  LoadOptions load;
  load.precision = Precision::fp32;
  load.cpu_target = target;
  const auto model = Model::load(folder + name, load);
  ASSERT_TRUE(model) << model.error().message;
  const GoldenTensors golden(std::string("models/") + name + ".expected.safetensors");
  const auto prompts = two_rows(golden.get<std::int64_t>("input_ids")),
             continuations = two_rows(golden.get<std::int64_t>("greedy"));
  GenerateOptions options;
  options.max_new_tokens = std::int64_t(continuations[0].size());
  options.ignore_eos = true;
  const auto together = generate_ids(*model, prompts, options);
  ASSERT_TRUE(together) << together.error().message;
  for (std::size_t s = 0; s < prompts.size(); ++s) {
    const auto alone = generate_ids(*model, {prompts[s]}, options);
    ASSERT_TRUE(alone) << alone.error().message;
    EXPECT_EQ(alone->front().ids, continuations[s]);
    EXPECT_EQ((*together)[s].ids, continuations[s]);
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryOne, Architecture,
    testing::Combine(testing::Values("llama2", "llama3", "llama3_old_spelling", "llama_biases", "llama_linear_rope",
                                     "llama_yarn_rope", "mistral", "qwen2", "qwen2_window", "qwen3", "qwen3_untied"),
                     testing::ValuesIn(every_target())),
    [](const auto& info) { return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param); });

}  // namespace
}  // namespace nibble
