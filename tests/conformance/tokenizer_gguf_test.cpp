// Tokenizers in GGUF files, against what the published tokenizers of the same pre-tokenizer give: one checksum per
// text.
#include <gtest/gtest.h>

#include "text/tokenizer/tokenizer.hpp"
#include "tokenizer_golden.hpp"

namespace nibble {
namespace {

class GgufTokenizers : public testing::TestWithParam<const char*> {};

TEST_P(GgufTokenizers, GiveTheIdsAndTextsOfTheReference) {
  const std::string name = GetParam();
  const auto file = Gguf::open(tokenizers_folder / "gguf" / (name + ".gguf"));
  ASSERT_TRUE(file) << file.error().message;
  const auto tokenizer = Tokenizer::from_gguf(*file);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Json expected = golden_json("gguf/" + name + ".expected.json");
  const std::vector<std::string> texts = golden_texts();
  ASSERT_EQ(expected["checksums"].size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto ids = (*tokenizer)->encode(texts[i], {false, true});
    EXPECT_EQ(crc32(ids), expected["checksums"][i].get<std::uint32_t>()) << texts[i] << " " << Json(ids);
    EXPECT_EQ(crc32((*tokenizer)->decode(ids)), expected["decoded"][i].get<std::uint32_t>()) << texts[i];
  }
  auto around = ids_of(expected["prefix"]);
  for (const std::int32_t id : ids_of(expected["suffix"])) around.push_back(id);
  EXPECT_EQ((*tokenizer)->encode(""), around);
}

INSTANTIATE_TEST_SUITE_P(Of, GgufTokenizers,
                         testing::Values("smollm", "gpt-2", "llama-bpe", "qwen2", "qwen35", "mpt", "falcon",
                                         "deepseek-llm", "deepseek-coder", "deepseek-v3", "gpt-4o", "tekken", "default",
                                         "stories", "stories-no-prefix"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace nibble
