// SmolLM2-135M-Instruct as GGUF Q4_1, a file that Nibble did not make, against transformers in fp32 and llama.cpp. The
// file is not part of the repository; `./demo.sh smollm2` puts it where this test looks.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/load.hpp"
#include "measure/divergence.hpp"
#include "nibble/generate.hpp"

namespace nibble {
namespace {

using Json = nlohmann::json;

std::filesystem::path cached_model() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  const std::filesystem::path folder = cache ? cache : std::filesystem::path(home ? home : ".") / ".cache";
  return folder / "nibble" / "SmolLM2-135M-Instruct.Q4_1.gguf";
}

Json golden(const std::string& name) {
  std::ifstream file(std::string(NIBBLE_SOURCE_DIR) + "/tests/golden/smollm2/" + name);
  return Json::parse(file);
}

class SmolLM2 : public testing::Test {
 protected:
  void SetUp() override {
    const auto path = cached_model();
    if (!std::filesystem::exists(path))
      GTEST_SKIP() << path.string() << " is not there; `./demo.sh smollm2` downloads it (93 MB)";
    LoadOptions options;
    options.precision = Precision::fp32;
    auto loaded = Model::load(path, options);
    ASSERT_TRUE(loaded) << loaded.error().message;
    model.emplace(std::move(loaded).value());
  }
  std::optional<Model> model;
};

// The bar of the shipped model, 2e-4 between fp32 and float64 for 8 layers and logits up to 20, for 30 layers and
// logits up to 50. Transformers in fp32 is as far from float64, so two logits closer than four of these can change
// places.
constexpr double logit_bound = 2e-4 * 30 / 8 * 50 / 20, tie = 4 * logit_bound;

TEST_F(SmolLM2, TokenizesAndContinuesTenPromptsAsTransformersDoes) {
  const Json prompts = golden("generation.json");
  ASSERT_EQ(prompts.size(), 10u);
  const TextTokenizer tokenizer = model->tokenizer().value();
  int identical = 0;
  for (const Json& prompt : prompts) {
    const auto ids = prompt["ids"].get<std::vector<std::int32_t>>(),
               expected = prompt["greedy"].get<std::vector<std::int32_t>>();
    EXPECT_EQ(tokenizer.encode(prompt["text"].get<std::string>()), ids) << prompt["text"];
    GenerateOptions options;
    options.max_new_tokens = std::int64_t(expected.size());
    options.ignore_eos = true;
    const auto generated = generate_ids(*model, {ids}, options);
    ASSERT_TRUE(generated) << generated.error().message;
    ASSERT_EQ(generated->front().ids.size(), expected.size());
    identical += generated->front().ids == expected;
    for (std::size_t i = 0; i < expected.size(); ++i)
      if (generated->front().ids[i] != expected[i]) {
        // Behind a tie the texts are two different ones.
        EXPECT_LE(prompt["margin"][i].get<double>(), tie) << "token " << i << " of: " << prompt["text"];
        break;
      }
  }
  std::printf("%d of %zu texts are the same to the last token\n", identical, prompts.size());
}

TEST_F(SmolLM2, PredictsAsTransformersAndNearlyAsLlamaCpp) {
  const Json losses = golden("losses.json");
  const auto ids = losses["ids"].get<std::vector<std::int32_t>>();
  const auto exact = losses["transformers_nll"].get<std::vector<double>>(),
             rough = losses["llama_cpp_nll"].get<std::vector<double>>();
  ASSERT_EQ(exact.size() + 1, ids.size());
  ASSERT_EQ(rough.size(), exact.size());
  LoadedModel& loaded = model->implementation();
  KvCache cache =
      KvCache::create(loaded.transformer->config(), *loaded.backend, DType::f32, std::int64_t(ids.size())).value();
  const Slice slice{&cache, ids, LogitsOf::all};
  double worst = 0, ours = 0, theirs = 0, llama_cpp = 0;
  const auto done =
      loaded.transformer->forward({&slice, 1}, [&](std::size_t, std::int64_t position, std::span<const float> logits) {
        const auto i = std::size_t(position);
        if (i == exact.size()) return;
        const double nll = negative_log_likelihood(logits, ids[i + 1]);
        worst = std::max(worst, std::fabs(nll - exact[i]));
        ours += nll;
        theirs += exact[i];
        llama_cpp += rough[i];
      });
  ASSERT_TRUE(done) << done.error().message;
  const auto count = double(exact.size());
  EXPECT_LE(worst, 4 * logit_bound);
  EXPECT_LE(std::fabs(ours - theirs) / count, 1e-4);
  EXPECT_NEAR(std::exp((ours - llama_cpp) / count), 1, 0.01) << "llama.cpp rounds activations to 8 bits";
}

}  // namespace
}  // namespace nibble
