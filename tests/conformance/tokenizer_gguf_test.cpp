// Tokenizers in GGUF files, against what the published tokenizers of the same pre-tokenizer give: one checksum per
// text.
#include <gtest/gtest.h>

#include "../made/made_files.hpp"
#include "text/tokenizer/model_tokenizer.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"
#include "tokenizer_golden.hpp"

namespace nibble {
namespace {

class GgufTokenizers : public testing::TestWithParam<const char*> {};

void gives_what_the_reference_gives(const Tokenizer& tokenizer, const std::string& name) {
  const Json expected = golden_json("gguf/" + name + ".expected.json");
  const std::vector<std::string> texts = golden_texts();
  ASSERT_EQ(expected["checksums"].size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto ids = tokenizer.encode(texts[i], {false, true});
    EXPECT_EQ(crc32(ids), expected["checksums"][i].get<std::uint32_t>()) << texts[i] << " " << Json(ids);
    EXPECT_EQ(crc32(tokenizer.decode(ids)), expected["decoded"][i].get<std::uint32_t>()) << texts[i];
  }
  auto around = ids_of(expected["prefix"]);
  for (const std::int32_t id : ids_of(expected["suffix"])) around.push_back(id);
  EXPECT_EQ(tokenizer.encode(""), around);
}

TEST_P(GgufTokenizers, GiveTheIdsAndTextsOfTheReference) {
  const std::string name = GetParam();
  const auto file = Gguf::open(tokenizers_folder / "gguf" / (name + ".gguf"));
  ASSERT_TRUE(file) << file.error().message;
  const auto tokenizer = Tokenizer::from_gguf(*file);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  gives_what_the_reference_gives(**tokenizer, name);
}

TEST_P(GgufTokenizers, GiveTheSameAsTokenizerJsonAndBackAsGguf) {
  const std::string name = GetParam();
  const auto file = Gguf::open(tokenizers_folder / "gguf" / (name + ".gguf")).value();
  const auto files = tokenizer_from_gguf(file);
  ASSERT_TRUE(files) << files.error().message;
  const made::Folder folder("tokenizer-gguf");
  made::write(folder / "tokenizer.json", files->tokenizer);
  made::write(folder / "tokenizer_config.json", files->config.dump());
  const auto tokenizer = Tokenizer::open(folder.path());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  gives_what_the_reference_gives(**tokenizer, name);

  const std::int64_t rows = (*tokenizer)->vocabulary_size();
  const auto metadata = tokenizer_to_gguf(folder.path(), rows + 3);  // more rows than tokens
  ASSERT_TRUE(metadata) << metadata.error().message;
  const std::string bytes = gguf_head("again", *metadata, {}).value();
  const auto again = Gguf::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), "again");
  ASSERT_TRUE(again) << again.error().message;
  gives_what_the_reference_gives(*Tokenizer::from_gguf(*again).value(), name);
  EXPECT_FALSE(tokenizer_to_gguf(folder.path(), rows - 1)) << "fewer rows than tokens";
}

INSTANTIATE_TEST_SUITE_P(Of, GgufTokenizers,
                         testing::Values("smollm", "gpt-2", "llama-bpe", "qwen2", "qwen35", "mpt", "falcon",
                                         "deepseek-llm", "deepseek-coder", "deepseek-v3", "gpt-4o", "tekken", "default",
                                         "stories", "stories-no-prefix"),
                         [](const auto& info) { return instance_name(info); });

}  // namespace
}  // namespace nibble
