// SmolLM2-135M-Instruct as GGUF Q4_1, a file that Nibble did not make, against transformers and llama.cpp. The
// file is not part of the repository; `./demo.sh smollm2` puts it where this test looks.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "golden_tensors.hpp"
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

std::vector<float> fp32_error(const std::string& of) {
  return golden("losses.json")["fp32_error"][of].get<std::vector<float>>();
}

TEST_F(SmolLM2, TokenizesAndContinuesTenPromptsAsTransformersDoes) {
  const Json prompts = golden("generation.json");
  ASSERT_EQ(prompts.size(), 10u);
  const TextTokenizer tokenizer = model->tokenizer().value();
  // Transformers' logits are off by no more than its largest error and Nibble's by no more than twice that, so two
  // whose distance is below twice the sum can change places.
  const double tie = 2 * (1 + 2) * fp32_error("logits").at(0);
  int identical = 0;
  for (const Json& prompt : prompts) {
    const auto ids = prompt["ids"].get<std::vector<std::int32_t>>(),
               expected = prompt["greedy"].get<std::vector<std::int32_t>>();
    EXPECT_EQ(tokenizer.encode(prompt["text"].get<std::string>()), ids) << prompt["text"];
    GenerateOptions options;
    options.max_new_tokens = std::int64_t(expected.size()), options.ignore_eos = true;
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
  const auto exact = losses["float64_nll"].get<std::vector<double>>(),
             rough = losses["llama_cpp_nll"].get<std::vector<double>>();
  const Computed computed = compute(model->implementation(), ids, {}, 1);
  ASSERT_EQ(exact.size() + 1, ids.size());
  ASSERT_EQ(rough.size(), exact.size());
  ASSERT_EQ(computed.nll.size(), exact.size());
  Deviation deviation;
  double ours = 0, llama_cpp = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    deviation.add(computed.nll[i], exact[i]);
    ours += computed.nll[i];
    llama_cpp += rough[i];
  }
  expect_as_near_as_fp32(deviation, fp32_error("nll"));
  EXPECT_NEAR(std::exp((ours - llama_cpp) / double(exact.size())), 1, 0.01) << "llama.cpp rounds activations to 8 bits";
}

}  // namespace
}  // namespace nibble
