// tests/golden/stories260K, a trained model whose rows are no multiples of 64, from safetensors and from GGUF: the
// perplexity that a forward pass in numpy has (tests/golden/stories260K/README.md).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "engine/load.hpp"
#include "measure/divergence.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {
namespace {

const std::string folder = std::string(NIBBLE_SOURCE_DIR) + "/tests/golden/stories260K";

std::vector<std::string> documents() {
  std::ifstream file(folder + "/tinystories_sample.txt", std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::string> out;
  constexpr std::string_view separator = "<|endoftext|>";
  text += separator;
  for (std::size_t begin = 0, end; (end = text.find(separator, begin)) != std::string::npos;
       begin = end + separator.size()) {
    const std::string document = text.substr(begin, end - begin);
    const auto first = document.find_first_not_of(" \t\r\n"), last = document.find_last_not_of(" \t\r\n");
    if (first != std::string::npos) out.push_back(document.substr(first, last + 1 - first).substr(0, 1500));
  }
  return out;
}

struct Losses {
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<double> nll;
};

Losses losses_of(const std::string& path) {
  LoadOptions options;
  options.precision = Precision::fp32;
  const auto loaded = load_model(path, options);
  EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
  if (!loaded) return {};
  LoadedModel& model = **loaded;
  const auto tokenizer = model.tokenizer();
  EXPECT_TRUE(tokenizer) << (tokenizer ? "" : tokenizer.error().message);
  if (!tokenizer) return {};
  Losses out;
  KvCache cache = KvCache::create(model.transformer->config(), *model.backend, DType::f32, 512).value();
  for (const std::string& document : documents()) {
    std::vector<std::int32_t> ids = (*tokenizer)->encode(document, {.add_special = true});
    EXPECT_EQ(ids.front(), (*tokenizer)->bos());
    ids.resize(std::min<std::size_t>(ids.size(), 512));
    cache.truncate(0);
    const Slice slice{&cache, ids, LogitsOf::all};
    EXPECT_TRUE(
        model.transformer->forward({&slice, 1}, [&](std::size_t, std::int64_t at, std::span<const float> logits) {
          if (std::size_t(at) + 1 < ids.size())
            out.nll.push_back(negative_log_likelihood(logits, ids[std::size_t(at) + 1]));
        }));
    out.ids.push_back(std::move(ids));
  }
  return out;
}

TEST(Stories260K, HasThePerplexityOfNumpyFromBothContainers) {
  ASSERT_EQ(documents().size(), 5u);
  const Losses from_folder = losses_of(folder), from_gguf = losses_of(folder + "/stories260K-f32.gguf");
  EXPECT_EQ(from_folder.ids, from_gguf.ids) << "tokenizer.json and the GGUF file's tokenizer give the same ids";
  ASSERT_EQ(from_folder.nll.size(), 1804u);
  ASSERT_EQ(from_gguf.nll.size(), 1804u);
  double sum = 0;
  for (const double nll : from_folder.nll) sum += nll;
  EXPECT_NEAR(sum / 1804, 1.2664, 0.00005);
  EXPECT_NEAR(std::exp(sum / 1804), 3.548, 0.0005);
  EXPECT_EQ(from_folder.nll, from_gguf.nll) << "the same weights in the same order give the same bits";
}

}  // namespace
}  // namespace nibble
