// Tiny random models of every architecture against logits that transformers computed in float64.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/load.hpp"
#include "io/safetensors.hpp"
#include "nibble/generate.hpp"

namespace nibble {
namespace {

const std::string folder = std::string(NIBBLE_SOURCE_DIR) + "/tests/golden/models/";

const StoredTensor* find(const Safetensors& file, std::string_view name) {
  for (const StoredTensor& tensor : file.tensors())
    if (tensor.name == name) return &tensor;
  return nullptr;
}

double element(const StoredTensor& tensor, std::size_t i) {
  if (tensor.dtype == DType::f64) {
    double value;
    std::memcpy(&value, tensor.bytes.data() + i * sizeof value, sizeof value);
    return value;
  }
  float value;
  std::memcpy(&value, tensor.bytes.data() + i * sizeof value, sizeof value);
  return value;
}

// A (rows, columns) tensor of int64 as rows of ids.
std::vector<std::vector<std::int32_t>> id_rows(const StoredTensor& tensor) {
  const auto columns = std::size_t(tensor.shape.at(1));
  std::vector<std::vector<std::int32_t>> rows(std::size_t(tensor.shape.at(0)));
  for (std::size_t i = 0; i < rows.size() * columns; ++i) {
    std::int64_t id;
    std::memcpy(&id, tensor.bytes.data() + i * sizeof id, sizeof id);
    rows[i / columns].push_back(std::int32_t(id));
  }
  return rows;
}

class Architecture : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Architecture, GivesTheLogitsOfTransformersAloneAndInOneBatch) {
  const auto [name, target] = GetParam();
  LoadOptions options;
  options.precision = Precision::fp32, options.cpu_target = target;
  auto loaded = load_model(folder + name, options);
  if (!loaded && loaded.error().code == Errc::unsupported && std::string_view(target) != "reference" &&
      loaded.error().message.find("processor") != std::string::npos)
    GTEST_SKIP() << loaded.error().message;
  ASSERT_TRUE(loaded) << loaded.error().message;
  LoadedModel& model = **loaded;
  const Safetensors expected = Safetensors::open(folder + name + ".expected.safetensors").value();
  const StoredTensor *ids = find(expected, "input_ids"), *logits = find(expected, "logits");
  ASSERT_TRUE(ids && logits);
  ASSERT_EQ(ids->shape.size(), 2u);
  const std::vector<std::vector<std::int32_t>> tokens = id_rows(*ids);
  const std::size_t sequences = tokens.size(), length = tokens[0].size(),
                    vocabulary = std::size_t(model.transformer->config().vocab_size);
  ASSERT_EQ(logits->elements(), sequences * length * vocabulary);

  double largest = 0;
  for (std::size_t i = 0; i < logits->elements(); ++i) largest = std::max(largest, std::fabs(element(*logits, i)));
  // fp32 roundings of three layers: some hundred operations deep, each 2^-24 relative to the largest value on its way.
  const double bound = 300 * 0x1p-24 * std::max(1.0, largest);

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

  double worst = 0;
  for (std::size_t s = 0; s < sequences; ++s) {
    EXPECT_EQ(alone[s], together[s]) << "a sequence has the same bits alone and in a batch";
    ASSERT_EQ(alone[s].size(), length * vocabulary);
    for (std::size_t i = 0; i < alone[s].size(); ++i)
      worst = std::max(worst, std::fabs(alone[s][i] - element(*logits, s * length * vocabulary + i)));
  }
  EXPECT_LE(worst, bound);
}

// Every greedy choice of these prompts leads by .01 or more, a hundred times the bound above.
TEST_P(Architecture, GeneratesTheTokensOfTransformersAloneAndInOneBatch) {
  const auto [name, target] = GetParam();
  LoadOptions load;
  load.precision = Precision::fp32, load.cpu_target = target;
  const auto model = Model::load(folder + name, load);
  if (!model && model.error().message.find("processor") != std::string::npos) GTEST_SKIP() << model.error().message;
  ASSERT_TRUE(model) << model.error().message;
  const Safetensors expected = Safetensors::open(folder + name + ".expected.safetensors").value();
  const StoredTensor *ids = find(expected, "input_ids"), *text = find(expected, "greedy");
  ASSERT_TRUE(ids && text);
  const std::vector<std::vector<std::int32_t>> prompts = id_rows(*ids), continuations = id_rows(*text);
  GenerateOptions options;
  options.max_new_tokens = text->shape[1], options.ignore_eos = true;
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
                     testing::Values("reference", "avx2", "avx512", "avx512_vnni_bf16")),
    [](const auto& info) { return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param); });

}  // namespace
}  // namespace nibble
